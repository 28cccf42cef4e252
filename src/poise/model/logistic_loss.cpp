#include <cmath>

#include "poise/model/classification_loss.hpp"

namespace poise {
namespace {

double probability_of(double f, double decay) {
  return f >= 0.0 ? 1.0 / (1.0 + decay) : decay / (1.0 + decay);
}

/// ℓ = log(1 + eᶠ) − y f, written so that e is never raised to a positive number.
class LogisticLoss final : public ClassificationLoss {
 public:
  [[nodiscard]] std::string name() const override { return "logistic"; }
  [[nodiscard]] std::string help() const override { return "is for two classes"; }
  [[nodiscard]] Targets targets() const override { return Targets::binary; }
  [[nodiscard]] double largest_curvature() const override { return 0.25; }

  LossSum evaluate(Index /*q*/, Index p, const double* f, const double* y, double* gradient,
                   const double* weights) const override {
    LossSum sum;
    for (Index i = 0; i < p; ++i) {
      const double decay = std::exp(-std::abs(f[i]));
      const double probability = probability_of(f[i], decay);
      if ((f[i] > 0.0) == (y[i] > 0.5)) ++sum.correct;
      const double weight = weights == nullptr ? 1.0 : weights[i];
      sum.loss += weight * (std::max(f[i], 0.0) - y[i] * f[i] + std::log1p(decay));
      if (gradient != nullptr) gradient[i] = weight * (probability - y[i]);
    }
    return sum;
  }

  void linearise(Index /*q*/, Index p, const double* f, double* probabilities) const override {
    for (Index i = 0; i < p; ++i) probabilities[i] = probability_of(f[i], std::exp(-std::abs(f[i])));
  }
  void multiply_curvature(Index /*q*/, Index p, const double* probabilities, double* v,
                          const double* weights) const override {
    for (Index i = 0; i < p; ++i)
      v[i] *= (weights == nullptr ? 1.0 : weights[i]) * probabilities[i] * (1.0 - probabilities[i]);
  }

  void require_outputs(Index /*outputs*/) const override {}
  [[nodiscard]] bool shift_invariant() const override { return false; }
  [[nodiscard]] double spread(Index /*q*/, const double* f) const override { return std::abs(f[0]); }
  /// p(1 − p) = 1/(2 + 2 cosh spread), sharp.
  [[nodiscard]] double smallest_curvature(Index /*q*/, double spread) const override {
    return 0.5 / (1.0 + std::cosh(spread));
  }
  [[nodiscard]] double curvature_at(Index /*q*/, const double* p) const override {
    return p[0] * (1.0 - p[0]);
  }
  [[nodiscard]] double margin(Index /*q*/, const double* f, const double* y) const override {
    return y[0] > 0.5 ? f[0] : -f[0];
  }
  /// Two classes, the second with the score 0.
  double bregman_divergence(Index /*q*/, const double* p, double* d) const override {
    const double both[2] = {p[0], 1.0 - p[0]};
    double scores[2] = {d[0], 0.0};
    const double divergence = softmax_divergence(2, both, scores);
    d[0] = scores[0];
    return divergence;
  }
};

}  // namespace

const Loss* logistic_loss() {
  static const LogisticLoss loss;
  return &loss;
}

}  // namespace poise
