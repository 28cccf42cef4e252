#include "poise/solve/outcome.hpp"

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"

namespace poise {

void require_on_all(MPI_Comm comm, Outcome& outcome) {
  agree(comm, [&] {
    if (outcome.products > 0) (void)require(outcome);
  });
  double largest[2] = {static_cast<double>(outcome.iterations), outcome.residual};
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, largest, 2, MPI_DOUBLE, MPI_MAX, comm));
  outcome.iterations = static_cast<Index>(largest[0]);
  outcome.residual = largest[1];
  outcome.converged = true;
}

}  // namespace poise
