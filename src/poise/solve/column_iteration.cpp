#include "poise/solve/column_iteration.hpp"

#include <petscsys.h>  // which petscblaslapack.h needs
#include <petscblaslapack.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {
inline namespace solve {
namespace {

// These macros of PETSc return an error code, so they need functions of their own.
PetscErrorCode log_begin(PetscLogEvent event) {
  return PetscLogEventBegin(event, nullptr, nullptr, nullptr, nullptr);
}
PetscErrorCode log_end(PetscLogEvent event) {
  return PetscLogEventEnd(event, nullptr, nullptr, nullptr, nullptr);
}

}  // namespace

ColumnIteration::ColumnIteration(MPI_Comm comm, Index rows, Index columns, std::size_t blocks,
                                 std::size_t depth, std::size_t sums)
    : comm_(comm),
      rows_(rows),
      columns_(columns),
      depth_(depth),
      first_mixed_(blocks),
      dots_(static_cast<std::size_t>(columns) * (depth * (depth + 3) / 2)),
      blocks_(blocks + (depth > 0 ? 4 + 2 * depth : 0),
              std::vector<double>(static_cast<std::size_t>(rows * columns))),
      progress_(static_cast<std::size_t>(columns)),
      stride_(2 + sums),
      sums_(static_cast<std::size_t>(columns) * stride_) {
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
  std::copy_n(sums_.data() + last * stride_, stride_, sums_.data() + slot * stride_);
}

ColumnIteration::State ColumnIteration::judge(Index slot, Index iteration, const Limits& limits,
                                              double& relative, Failure& failure) {
  Progress& progress = progress_[slot];
  const double residual = std::sqrt(sums_[slot * stride_]);
  const double scale = std::sqrt(sums_[slot * stride_ + 1]);
  const double limit = limits.relative * scale + limits.absolute;
  relative = scale > 0.0 ? residual / scale : residual;
  failure = Failure::none;
  if (iteration == 1)
    progress.first =
        std::max(residual, limit);  // at least the limit: a start below the tolerance may get worse
  if (!std::isfinite(residual) || !std::isfinite(limit)) {
    relative = std::numeric_limits<double>::quiet_NaN();
    failure = Failure::not_a_number;
    return State::failed;
  }
  if (residual <= limit && !limits.finish_none) return State::done;
  if (limits.divergence > 0.0 && residual > limits.divergence * progress.first)
    failure = Failure::divergence;
  else if (!limits.patient && hopeless(progress, iteration, residual, limit))
    failure = Failure::slow;
  progress.earlier[iteration % 4] = residual;
  return failure == Failure::none ? State::active : State::failed;
}

void ColumnIteration::take_out(Index slot, Failure failure, Result& result) {
  if (failure != Failure::none) {
    result.left.push_back(progress_[slot].column);
    if (result.failure == Failure::none) result.failure = failure;
  }
  finish(slot, progress_[slot].column, failure == Failure::none);
  remove(slot, --active_);
}

void ColumnIteration::show() {
  for (Index slot = 0; slot < active_; ++slot) finish(slot, progress_[slot].column, false);
}

ColumnIteration::Result ColumnIteration::iterate(Index p, const Limits& limits) {
  Result result;
  for (Index slot = 0; slot < p; ++slot) progress_[slot] = {slot, 0.0, {}};
  active_ = p;
  mixed_ = 0;
  nearest_ = 0.0;  // not known yet: the start may be good
  bool go_on = true;
  if (limits.start) limits.start();
  while (active_ > 0 && go_on && result.iterations < limits.iterations) {
    first_product_ = result.iterations == 0;
    if (limits.event >= 0) check(log_begin(limits.event));
    product(active_);
    if (limits.event >= 0) check(log_end(limits.event));
    ++result.iterations;
    ++result.products;
    for (Index slot = 0; slot < active_; ++slot)
      measure(slot, sums_[slot * stride_], sums_[slot * stride_ + 1]);
    if (ranks_ > 1)
      check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums_.data(), mpi_count(active_ * static_cast<Index>(stride_)),
                              MPI_DOUBLE, MPI_SUM, comm_));
    nearest_ = std::numeric_limits<double>::infinity();
    double worst = 0.0;
    for (Index slot = active_ - 1; slot >= 0; --slot) {
      double relative = 0.0;
      Failure failure = Failure::none;
      const State state = judge(slot, result.iterations, limits, relative, failure);
      if (!std::isnan(worst) && !(relative <= worst)) worst = relative;  // a NaN stays the worst
      if (state == State::active)
        nearest_ = std::min(nearest_, relative);
      else
        take_out(slot, failure, result);
    }
    if (limits.progress) go_on = limits.progress(result.iterations, worst);
  }
  for (Index slot = 0; slot < active_; ++slot) {
    if (!limits.finish_none) {
      result.left.push_back(progress_[slot].column);
      if (result.failure == Failure::none) result.failure = Failure::most_iterations;
    }
    finish(slot, progress_[slot].column, limits.finish_none);
  }
  std::sort(result.left.begin(), result.left.end());
  return result;
}

std::string to_string(ColumnIteration::Failure failure) {
  switch (failure) {
    case ColumnIteration::Failure::none:
      return "";
    case ColumnIteration::Failure::not_a_number:
      return "not a number";
    case ColumnIteration::Failure::divergence:
      return "divergence";
    case ColumnIteration::Failure::slow:
      return "slow convergence";
    case ColumnIteration::Failure::most_iterations:
      return "too many iterations";
  }
  return "";
}

// Anderson mixing.
namespace {

constexpr std::size_t most_depth = 8;

/// γ of the normal equations; zero if they are singular, which makes the step a plain one.
std::array<double, most_depth> solve_normal_equations(std::size_t held, const double* dots) {
  std::array<double, most_depth * most_depth> matrix{};
  std::array<double, most_depth> gamma{};
  if (held == 0) return gamma;
  for (std::size_t i = 0; i < held; ++i)
    for (std::size_t j = 0; j <= i; ++j) matrix[j * held + i] = *dots++;
  double trace = 0.0;
  for (std::size_t i = 0; i < held; ++i) trace += matrix[i * held + i];
  for (std::size_t i = 0; i < held; ++i) matrix[i * held + i] += 1e-14 * trace;
  std::copy_n(dots, held, gamma.begin());
  const auto size = static_cast<PetscBLASInt>(held);
  const PetscBLASInt one = 1;
  PetscBLASInt info = 0;
  LAPACKpotrf_("L", &size, matrix.data(), &size, &info);
  if (info == 0) LAPACKpotrs_("L", &size, &one, matrix.data(), &size, gamma.data(), &size, &info);
  if (info != 0) gamma.fill(0.0);
  return gamma;
}

}  // namespace

// Blocks from first_mixed_: n and f; n and f of the iteration before; then Δn and Δf of the last `depth`
// iterations, each as a ring.
void ColumnIteration::remember_changes(Index p) {
  if (mixed_ > 0) {
    const std::size_t newest = static_cast<std::size_t>(mixed_ - 1) % depth_;
    for (std::size_t k = 0; k < 2; ++k) {
      const double* now = block(first_mixed_ + k);
      const double* before = block(first_mixed_ + 2 + k);
      double* difference = block(first_mixed_ + 4 + k * depth_ + newest);
      for (Index i = 0; i < rows_ * p; ++i) difference[i] = now[i] - before[i];
    }
  }
  for (std::size_t k = 0; k < 2; ++k)
    std::copy_n(block(first_mixed_ + k), rows_ * p, block(first_mixed_ + 2 + k));
  ++mixed_;
}

void ColumnIteration::products_of_changes(Index slot, std::size_t held, double* out) {
  const auto dot = [this](const double* a, const double* b) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (Index i = 0; i < rows_; ++i) sum += a[i] * b[i];
    return sum;
  };
  const std::size_t first = first_mixed_ + 4 + depth_;
  for (std::size_t i = 0; i < held; ++i)
    for (std::size_t j = 0; j <= i; ++j) *out++ = dot(column(first + i, slot), column(first + j, slot));
  for (std::size_t i = 0; i < held; ++i) *out++ = dot(column(first + i, slot), change(slot));
}

void ColumnIteration::mix(Index p, std::size_t x) {
  remember_changes(p);
  const std::size_t held = std::min(depth_, static_cast<std::size_t>(mixed_ - 1));
  const std::size_t length = held * (held + 3) / 2;
  for (Index slot = 0; slot < p; ++slot)
    products_of_changes(slot, held, dots_.data() + static_cast<std::size_t>(slot) * length);
  if (ranks_ > 1 && length > 0)
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, dots_.data(), mpi_count(p * static_cast<Index>(length)), MPI_DOUBLE,
                            MPI_SUM, comm_));
  for (Index slot = 0; slot < p; ++slot) {
    const auto gamma = solve_normal_equations(held, dots_.data() + static_cast<std::size_t>(slot) * length);
    double* next = column(x, slot);
    std::copy_n(mapped(slot), rows_, next);
    for (std::size_t j = 0; j < held; ++j) {
      const double* difference = column(first_mixed_ + 4 + j, slot);
      for (Index i = 0; i < rows_; ++i) next[i] -= gamma[j] * difference[i];
    }
  }
}

}  // namespace solve
}  // namespace poise
