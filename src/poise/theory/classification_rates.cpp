#include "poise/theory/classification_rates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "poise/base/error.hpp"
#include "poise/model/classification_loss.hpp"
#include "poise/theory/rank_reductions.hpp"

namespace poise {
inline namespace theory {
namespace {

const ShallowLoss& with_curvature(const ShallowLoss& loss) {
  if (loss.problem().loss->classification() == nullptr)
    throw Error(ExitCode::bad_input, "constants of classification need a classification loss", true);
  loss.problem().loss->classification()->require_outputs(loss.layout().outputs());
  return loss;
}

constexpr double epsilon = std::numeric_limits<double>::epsilon();

double norm2(const std::vector<double>& x) {
  return std::inner_product(x.begin(), x.end(), x.begin(), 0.0);
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
      fmt::format(
          "the features have rank {}, not their number {}: the curvature has no lower bound, so that "
          "THEORY.md 5.3 gives no constant; whiten the features (only directions that vary are kept), or use "
          "the measured constant alone",
          rank(), loss_.layout().width()),
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
  if (largest_over_ranks(loss_.layout().grid().world(), weights) == 0.0) return 0.0;
  const FeatureSvd weighted(feature_factor(loss_.layout(), loss_.problem().train, &weights));
  // The smallest of all m singular values minus its rounding, so that the constant is a true lower bound.
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

ClassificationReference::ClassificationReference(ShallowLoss& loss, const ConvexOptimum& optimum)
    : loss_(loss), optimum_(optimum), difference_(optimum.w.size()), gradient_(optimum.w.size()) {
  const SampleSet& train = loss.problem().train;
  const Index q = loss.layout().outputs();
  if (!optimum.attained) return;
  probabilities_.resize(static_cast<std::size_t>(q * train.count));
  loss.visit_outputs(optimum.w.data(), train, [&](Index first, Index columns, const double* f) {
    loss.problem().loss->linearise(q, columns, f, probabilities_.data() + first * q);
  });
}

ClassificationReference::Distance ClassificationReference::distance_from_zero(const double* w) {
  Distance result;
  result.loss = result.excess = loss_.value_and_gradient(w, gradient_.data()).loss;
  std::vector<double> sums{norm2(gradient_)};
  sum_over_ranks(loss_.layout().grid().world(), sums);
  result.grad_norm2 = sums[0];
  const Problem& problem = loss_.problem();
  // The loss of a sample is a logarithm of 1 + x with an absolute error of about ε.
  result.uncertainty =
      8.0 * epsilon *
      (problem.scale(problem.train.total) * static_cast<double>(problem.train.total) + result.loss);
  return result;
}

ClassificationReference::Distance ClassificationReference::distance(const double* w) {
  if (!optimum_.attained) return distance_from_zero(w);
  const Problem& problem = loss_.problem();
  const Index q = loss_.layout().outputs();
  std::transform(w, w + difference_.size(), optimum_.w.begin(), difference_.begin(), std::minus<>());
  const ClassificationLoss& classes = *problem.loss->classification();
  LossSum sum;
  const auto visit = [&](Index first, Index columns, double* d) {
    const double* p = probabilities_.data() + first * q;
    const double* weights = problem.train.weights_from(first);
    for (Index i = 0; i < columns; ++i, p += q, d += q) {
      const double weight = weights == nullptr ? 1.0 : weights[i];
      sum.loss += weight * classes.bregman_divergence(q, p, d);
      for (Index c = 0; c < q; ++c) d[c] *= weight;
    }
  };
  loss_.sum_over_outputs(difference_.data(), problem.train, visit, gradient_.data());
  std::transform(gradient_.begin(), gradient_.end(), optimum_.multiplier.begin(), gradient_.begin(),
                 std::plus<>());
  std::vector<double> sums{
      norm2(gradient_), norm2(difference_),
      std::inner_product(difference_.begin(), difference_.end(), optimum_.multiplier.begin(), 0.0)};
  sum_over_ranks(loss_.layout().grid().world(), sums);
  Distance result;
  const double divergence = sum_over_samples(loss_.layout().grid(), sum).loss;
  result.excess = sums[2] + problem.scale(problem.train.total) * divergence;
  result.grad_norm2 = sums[0];
  result.uncertainty = (optimum_.gradient_norm + optimum_.gradient_rounding) * std::sqrt(sums[1]);
  result.loss = optimum_.loss + result.excess;
  return result;
}

ClassificationRates::ClassificationRates(ShallowLoss& loss, ConvexOptimum optimum)
    : loss_(loss),
      optimum_(std::move(optimum)),
      reference_(loss, optimum_),
      spreads_(static_cast<std::size_t>(loss.problem().train.count), 0.0) {
  if (!optimum_.attained) return;
  constants_ = std::make_unique<ClassificationConstants>(loss);
  widen(optimum_.w.data());
}

void ClassificationRates::widen(const double* w) {
  raise_output_spreads(loss_, w, spreads_);
  radius_ = std::max(radius_, induced_one_norm(loss_.layout(), w));
}

double ClassificationRates::measure(const double* w, AuditSample& sample) {
  const ClassificationReference::Distance distance = reference_.distance(w);
  sample.loss = distance.loss;
  sample.excess = distance.excess;
  sample.grad_norm2 = distance.grad_norm2;
  sample.integration_error += distance.uncertainty;
  largest_entry_ = std::max(largest_entry_, poise::largest_entry(loss_.layout(), w));
  if (constants_) widen(w);
  return distance.uncertainty;
}

std::string ClassificationRates::obstacle() const {
  if (!constants_)
    return fmt::format(
        "no comparator and so no a-priori constant: the excess is the loss itself, with the measured "
        "constant; "
        "for an optimum over a box use |W_ij| <= {:.3g} or more",
        largest_entry_);
  if (optimum_.constrained() && largest_entry_ > optimum_.box)
    return fmt::format(
        "W left the box |W_ij| <= {:.3g} of the optimum (it reached {:.3g}): no a-priori constant; use a "
        "larger box",
        optimum_.box, largest_entry_);
  if (!constants_->full_rank())
    return fmt::format("the features have rank {}, not their number {}: no a-priori constant",
                       constants_->rank(), loss_.layout().width());
  return {};
}

double ClassificationRates::kappa_outputs() const {
  return obstacle().empty() ? constants_->kappa_outputs(spreads_) : std::numeric_limits<double>::quiet_NaN();
}

double ClassificationRates::kappa_ball() const {
  return obstacle().empty() ? constants_->kappa_ball(radius_) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace theory
}  // namespace poise
