#include "poise/objective/objective.hpp"

#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"

namespace poise {
inline namespace objective {

Range own_samples(const ProcessGrid& grid, const SampleSet& samples) {
  Index end = samples.count;
  check_mpi(MPI_Scan(MPI_IN_PLACE, &end, 1, MPI_INT64_T, MPI_SUM, grid.sample()));
  return {end - samples.count, end};
}

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

Evaluation Objective::value_and_gradient(Vec theta, Vec gradient, const Batch& batch) {
  if (batch.all) return value_and_gradient(theta, gradient);
  throw Error(ExitCode::bad_input, "this objective needs all samples in every evaluation: leave out -batch",
              true);
}

void require_finite_loss(double loss) {
  if (std::isfinite(loss)) return;
  throw Error(ExitCode::failed,
              "the loss is not finite: the step is too large or the parameters hold NaN or Inf; reduce "
              "-step_size or the integrator's tolerance",
              true);
}

}  // namespace objective
}  // namespace poise
