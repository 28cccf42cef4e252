#include "poise/solve/column_iteration.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"

namespace poise {

ColumnIteration::ColumnIteration(MPI_Comm comm, Index rows, Index columns, std::size_t blocks,
                                 std::size_t depth)
    : comm_(comm),
      rows_(rows),
      columns_(columns),
      depth_(depth),
      first_mixed_(blocks),
      dots_(static_cast<std::size_t>(columns) * (depth * (depth + 3) / 2)),
      blocks_(blocks + (depth > 0 ? 4 + 2 * depth : 0),
              std::vector<double>(static_cast<std::size_t>(rows * columns))),
      progress_(static_cast<std::size_t>(columns)),
      norms_(static_cast<std::size_t>(2 * columns)) {
  check_mpi(MPI_Comm_size(comm, &ranks_));
}

bool ColumnIteration::hopeless(const Progress& progress, Index iteration, double residual,
                               double limit) const {
  constexpr Index memory = 4;
  constexpr double most_iterations = 40.0;
  if (iteration <= memory) return false;
  const double earlier = progress.earlier[iteration % memory];
  if (!(residual < earlier)) return true;
  const double rate = std::log(residual / earlier) / static_cast<double>(memory);
  return std::log(limit / residual) / rate > most_iterations;
}

void ColumnIteration::remove(Index slot, Index last) {
  if (slot == last) return;
  for (std::size_t k = 0; k < blocks_.size(); ++k) std::copy_n(column(k, last), rows_, column(k, slot));
  progress_[slot] = progress_[last];
}

ColumnIteration::Result ColumnIteration::iterate(Index p, const Limits& limits) {
  Result result;
  for (Index slot = 0; slot < p; ++slot) progress_[slot] = {slot, {}};
  Index active = p;
  mixed_ = 0;
  nearest_ = 0.0;  // unknown: the start may be good
  while (active > 0 && result.iterations < limits.iterations) {
    first_product_ = result.iterations == 0;
    product(active);
    ++result.iterations;
    ++result.products;
    for (Index slot = 0; slot < active; ++slot) measure(slot, norms_[2 * slot], norms_[2 * slot + 1]);
    if (ranks_ > 1)
      check_mpi(MPI_Allreduce(MPI_IN_PLACE, norms_.data(), static_cast<int>(2 * active), MPI_DOUBLE, MPI_SUM,
                              comm_));
    nearest_ = std::numeric_limits<double>::infinity();
    for (Index slot = active - 1; slot >= 0; --slot) {
      const double residual = std::sqrt(norms_[2 * slot]);
      const double limit = limits.relative * std::sqrt(norms_[2 * slot + 1]) + limits.absolute;
      const bool broken = !std::isfinite(residual) || !std::isfinite(limit);
      const bool done = !broken && residual <= limit;
      const bool slow = !limits.patient && hopeless(progress_[slot], result.iterations, residual, limit);
      progress_[slot].earlier[result.iterations % 4] = residual;
      if (!done && !broken && !slow) {
        nearest_ = std::min(nearest_, residual / std::sqrt(norms_[2 * slot + 1]));
        continue;
      }
      if (!done) {
        result.left.push_back(progress_[slot].column);
        if (result.reason.empty()) result.reason = broken ? "not a number" : "slow convergence";
      }
      finish(slot, progress_[slot].column, done);
      --active;
      norms_[2 * slot] = norms_[2 * active];
      norms_[2 * slot + 1] = norms_[2 * active + 1];
      remove(slot, active);
    }
  }
  for (Index slot = 0; slot < active; ++slot) {
    result.left.push_back(progress_[slot].column);
    if (result.reason.empty()) result.reason = "too many iterations";
    finish(slot, progress_[slot].column, false);
  }
  std::sort(result.left.begin(), result.left.end());
  return result;
}

}  // namespace poise
