#include "poise/solve/outcome.hpp"

#include <cmath>
#include <limits>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"

namespace poise {

void require_on_all(MPI_Comm comm, Outcome& outcome) {
  agree(comm, [&] {
    if (!outcome.usable()) (void)require(outcome);
  });
  // max of NaN and a number is either; an infinite residual stands for "not measured" on the way.
  double largest[2] = {static_cast<double>(outcome.iterations), std::isnan(outcome.residual)
                                                                    ? std::numeric_limits<double>::infinity()
                                                                    : outcome.residual};
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, largest, 2, MPI_DOUBLE, MPI_MAX, comm));
  outcome.iterations = static_cast<Index>(largest[0]);
  outcome.residual = std::isinf(largest[1]) ? std::numeric_limits<double>::quiet_NaN() : largest[1];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &outcome.fallbacks, 1, MPI_INT64_T, MPI_SUM, comm));
  outcome.converged = true;
}

}  // namespace poise
