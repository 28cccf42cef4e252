#include "poise/solve/outcome.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise {
inline namespace solve {

namespace {

std::string place_of(const Outcome& outcome) {
  if (!outcome.place.empty()) return "at worst at " + outcome.place;
  return fmt::format("worst sample {} of this rank{}", outcome.worst_sample,
                     outcome.panel < 0 ? "" : fmt::format(", in panel {}", outcome.panel));
}

}  // namespace

const Outcome& require(const Outcome& outcome, bool world) {
  if (outcome.converged) [[likely]]
    return outcome;
  throw Error(
      ExitCode::failed,
      fmt::format("the {} solve failed: {} after {} iterations, relative residual {} ({}); allow more "
                  "iterations, loosen the tolerance, or choose another solver by its prefix",
                  outcome.solve, outcome.reason, outcome.iterations, to_text(outcome.residual),
                  place_of(outcome)),
      world);
}

void require_on_all(MPI_Comm comm, Outcome& outcome) {
  agree(comm, [&] {
    if (!outcome.usable()) (void)require(outcome);
  });
  // MPI_MAX of a NaN and a number may be either, so an infinite residual stands for "not measured" meanwhile.
  double largest[2] = {static_cast<double>(outcome.iterations), std::isnan(outcome.residual)
                                                                    ? std::numeric_limits<double>::infinity()
                                                                    : outcome.residual};
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, largest, 2, MPI_DOUBLE, MPI_MAX, comm));
  outcome.iterations = static_cast<Index>(largest[0]);
  outcome.residual = std::isinf(largest[1]) ? std::numeric_limits<double>::quiet_NaN() : largest[1];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &outcome.fallbacks, 1, MPI_INT64_T, MPI_SUM, comm));
  outcome.converged = true;
}

void column_norms(MPI_Comm comm, Index rows, Index p, const double* x, double* norms) {
  for (Index c = 0; c < p; ++c, x += rows) {
    // Four partial sums, because with a single sum every addition waits for the one before.
    double sums[4] = {0.0, 0.0, 0.0, 0.0};
    Index i = 0;
    for (; i + 4 <= rows; i += 4)
      for (Index k = 0; k < 4; ++k) sums[k] += x[i + k] * x[i + k];
    for (; i < rows; ++i) sums[0] += x[i] * x[i];
    norms[c] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
  int size = 1;
  check_mpi(MPI_Comm_size(comm, &size));
  if (size > 1) check_mpi(MPI_Allreduce(MPI_IN_PLACE, norms, static_cast<int>(p), MPI_DOUBLE, MPI_SUM, comm));
  for (Index c = 0; c < p; ++c) norms[c] = std::sqrt(norms[c]);
}

}  // namespace solve
}  // namespace poise
