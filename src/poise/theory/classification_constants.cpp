#include "poise/theory/classification_constants.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/model/classification_loss.hpp"

namespace poise {
namespace {

const ShallowLoss& with_curvature(const ShallowLoss& loss) {
  if (loss.problem().loss->classification() == nullptr)
    throw Error(ExitCode::bad_input, "constants of classification need a classification loss", true);
  loss.problem().loss->classification()->require_outputs(loss.layout().outputs());
  return loss;
}

double largest_on_ranks(const ParameterLayout& layout, double value) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_MAX, layout.grid().world()));
  return value;
}

}  // namespace

ClassificationConstants::ClassificationConstants(ShallowLoss& loss)
    : loss_(loss),
      svd_(feature_factor(loss.layout(), with_curvature(loss).problem().train)),
      largest_norm1_(feature_norms(loss.layout(), loss.problem().train).largest_one) {}

double ClassificationConstants::smallest_curvature(double spread) const {
  return loss_.problem().loss->classification()->smallest_curvature(loss_.layout().outputs(), spread);
}

double ClassificationConstants::scale() const {
  return loss_.problem().scale(loss_.problem().train.total);
}

void ClassificationConstants::require_full_rank() const {
  if (full_rank()) return;
  throw Error(
      ExitCode::bad_input,
      "the features have rank " + std::to_string(rank()) + ", not their number " +
          std::to_string(loss_.layout().width()) +
          ": the curvature has no lower bound and THEORY.md 5.3 no constant; whiten the features (only "
          "directions that vary are kept), or take the measured constant alone",
      true);
}

double ClassificationConstants::kappa_ball(double radius) const {
  require_full_rank();
  const double rho = smallest_curvature(radius * largest_norm1_);
  return 2.0 * scale() * rho * svd_.safe_square(svd_.smallest());
}

double ClassificationConstants::kappa_box(double r) const {
  return kappa_ball(static_cast<double>(std::min<Index>(2, loss_.layout().outputs())) * r);
}

double ClassificationConstants::kappa_outputs(const std::vector<double>& spreads) const {
  require_full_rank();
  std::vector<double> weights(spreads.size());
  std::transform(spreads.begin(), spreads.end(), weights.begin(),
                 [&](double spread) { return smallest_curvature(spread); });
  const double* own = loss_.problem().train.weights_from(0);
  for (std::size_t i = 0; own != nullptr && i < weights.size(); ++i) weights[i] *= own[i];
  const double largest = weights.empty() ? 0.0 : *std::max_element(weights.begin(), weights.end());
  if (largest_on_ranks(loss_.layout(), largest) == 0.0) return 0.0;
  const FeatureSvd weighted(feature_factor(loss_.layout(), loss_.problem().train, &weights));
  // Of all m singular values, less what rounding can have done to it: the constant must be a true one.
  return 2.0 * scale() * weighted.safe_square(weighted.values().back());
}

void raise_output_spreads(ShallowLoss& loss, const double* w, std::vector<double>& spreads) {
  const Problem& problem = loss.problem();
  const ClassificationLoss& classes = *problem.loss->classification();
  const Index q = loss.layout().outputs();
  spreads.resize(static_cast<std::size_t>(problem.train.count));
  loss.visit_outputs(w, problem.train, [&](Index first, Index columns, const double* f) {
    for (Index i = 0; i < columns; ++i, f += q)
      spreads[first + i] = std::max(spreads[first + i], classes.spread(q, f));
  });
}

double induced_one_norm(const ParameterLayout& layout, const double* w) {
  const Index rows = layout.slice().size();
  double largest = 0.0;
  for (Index k = 0; k < rows; ++k) {
    double sum = 0.0;
    for (Index c = 0; c < layout.outputs(); ++c) sum += std::abs(w[c * rows + k]);
    largest = std::max(largest, sum);
  }
  return largest_on_ranks(layout, largest);
}

double largest_entry(const ParameterLayout& layout, const double* w) {
  double largest = 0.0;
  for (Index e = 0; e < layout.slice().size() * layout.outputs(); ++e)
    largest = std::max(largest, std::abs(w[e]));
  return largest_on_ranks(layout, largest);
}

}  // namespace poise
