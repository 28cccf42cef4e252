#include "poise/objective/sample_set.hpp"

#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"

namespace poise {

LossSum sum_over_samples(const ProcessGrid& grid, const LossSum& local) {
  static const LogEvent event("LossReduce");
  const auto scope = event.begin();
  double sums[2] = {0.0, 0.0};
  if (grid.feature_index() == 0) {
    sums[0] = local.loss;
    sums[1] = static_cast<double>(local.correct);
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, grid.world()));
  return {sums[0], static_cast<Index>(sums[1])};
}

}  // namespace poise
