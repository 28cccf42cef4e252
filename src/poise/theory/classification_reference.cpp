#include "poise/theory/classification_reference.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "poise/base/check.hpp"
#include "poise/model/classification_loss.hpp"
#include "poise/theory/row_slices.hpp"

namespace poise {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

double norm2(const std::vector<double>& x) {
  return std::inner_product(x.begin(), x.end(), x.begin(), 0.0);
}

}  // namespace

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
  // A sample's loss is a logarithm of 1 + x, off by ε where x is.
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

}  // namespace poise
