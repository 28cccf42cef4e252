#include "poise/model/classification_loss.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "poise/base/error.hpp"
#include "poise/model/exponentials.hpp"

namespace poise {
inline namespace model {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
/// For |x| up to this number e^x − 1 − x is summed as a series; for larger |x| the difference is accurate
/// enough.
constexpr double series_end = 0.5;
/// If a d_c is above this number, the largest power is factored out of the sum of p_c e^{d_c}, which could
/// overflow.
constexpr double largest_power = 30.0;

/// e^x − 1 − x, to full relative accuracy.
double second_order_rest(double x) {
  if (std::abs(x) > series_end) return std::expm1(x) - x;
  double term = 0.5 * x * x;
  double sum = 0.0;
  for (int k = 3; std::abs(term) > epsilon * epsilon * std::abs(sum) && k < 30; ++k) {
    sum += term;
    term *= x / k;
  }
  return sum;
}

double probability_of(double f, double decay) {
  return f >= 0.0 ? 1.0 / (1.0 + decay) : decay / (1.0 + decay);
}

/// ℓ = log(1 + eᶠ) − y f, computed so that e is never raised to a positive number, which could overflow.
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
  /// p(1 − p) = 1/(2 + 2 cosh spread), which is attained.
  [[nodiscard]] double smallest_curvature(Index /*q*/, double spread) const override {
    return 0.5 / (1.0 + std::cosh(spread));
  }
  [[nodiscard]] double curvature_at(Index /*q*/, const double* p) const override {
    return p[0] * (1.0 - p[0]);
  }
  [[nodiscard]] double margin(Index /*q*/, const double* f, const double* y) const override {
    return y[0] > 0.5 ? f[0] : -f[0];
  }
  /// As for two classes with scores f and 0.
  double bregman_divergence(Index /*q*/, const double* p, double* d) const override {
    const double both[2] = {p[0], 1.0 - p[0]};
    double scores[2] = {d[0], 0.0};
    const double divergence = softmax_divergence(2, both, scores);
    d[0] = scores[0];
    return divergence;
  }
};

/// ℓ = log Σ_c e^{f_c} − f_y.
class CrossEntropyLoss final : public ClassificationLoss {
 public:
  [[nodiscard]] std::string name() const override { return "cross_entropy"; }
  [[nodiscard]] std::string help() const override { return ""; }
  [[nodiscard]] Targets targets() const override { return Targets::classes; }
  [[nodiscard]] double largest_curvature() const override { return 0.5; }

  /// Takes several samples at a time, so that the exponentials are computed as one long vector.
  LossSum evaluate(Index q, Index p, const double* f, const double* y, double* gradient,
                   const double* weights) const override {
    constexpr Index together = 64;
    std::vector<double> powers(static_cast<std::size_t>(std::min(together, p) * q));
    std::array<double, together> label_scores;
    std::array<Index, together> labels;
    LossSum sum;
    for (Index first = 0; first < p; first += together) {
      const Index count = std::min(together, p - first);
      for (Index i = 0; i < count; ++i, f += q, y += q) {
        const double* top = std::max_element(f, f + q);
        const Index label = std::max_element(y, y + q) - y;
        if (top - f == label) ++sum.correct;
        labels[i] = label;
        label_scores[i] = f[label] - *top;
        for (Index c = 0; c < q; ++c) powers[i * q + c] = f[c] - *top;
      }
      exponentials(count * q, powers.data());
      for (Index i = 0; i < count; ++i) {
        const double* power = powers.data() + i * q;
        const double total = std::accumulate(power, power + q, 0.0);
        const double weight = weights == nullptr ? 1.0 : weights[first + i];
        sum.loss += weight * (std::log(total) - label_scores[i]);
        if (gradient == nullptr) continue;
        for (Index c = 0; c < q; ++c)
          gradient[(first + i) * q + c] = weight * (power[c] / total - (c == labels[i] ? 1.0 : 0.0));
      }
    }
    return sum;
  }

  void linearise(Index q, Index p, const double* f, double* probabilities) const override {
    for (Index i = 0; i < p; ++i, f += q, probabilities += q) {
      const double top = *std::max_element(f, f + q);
      double total = 0.0;
      for (Index c = 0; c < q; ++c) total += probabilities[c] = std::exp(f[c] - top);
      for (Index c = 0; c < q; ++c) probabilities[c] /= total;
    }
  }
  void multiply_curvature(Index q, Index p, const double* probabilities, double* v,
                          const double* weights) const override {
    for (Index i = 0; i < p; ++i, probabilities += q, v += q) {
      const double weight = weights == nullptr ? 1.0 : weights[i];
      const double mean = std::inner_product(v, v + q, probabilities, 0.0);  // pᵀv
      for (Index c = 0; c < q; ++c) v[c] = weight * probabilities[c] * (v[c] - mean);
    }
  }

  void require_outputs(Index outputs) const override {
    if (outputs < 2)
      throw Error(ExitCode::bad_input, "cross_entropy needs two outputs or more: with one it is always 0",
                  true);
  }
  [[nodiscard]] bool shift_invariant() const override { return true; }
  [[nodiscard]] double spread(Index q, const double* f) const override {
    const auto [low, high] = std::minmax_element(f, f + q);
    return *high - *low;
  }
  /// By interlacing, all eigenvalues of ∇²ℓ = diag(p) − ppᵀ, except the eigenvalue 0 of the vector 1, are at
  /// least min_c p_c >= 1/(1 + (q − 1)e^spread). With q = 2 the eigenvalue is 2 p₁p₂ >= 1/(1 + cosh spread),
  /// a sharp bound.
  [[nodiscard]] double smallest_curvature(Index outputs, double spread) const override {
    require_outputs(outputs);
    if (outputs == 2) return 1.0 / (1.0 + std::cosh(spread));
    return 1.0 / (1.0 + static_cast<double>(outputs - 1) * std::exp(spread));
  }
  [[nodiscard]] double curvature_at(Index q, const double* p) const override {
    return *std::min_element(p, p + q);
  }
  [[nodiscard]] double margin(Index q, const double* f, const double* y) const override {
    const Index label = std::max_element(y, y + q) - y;
    double smallest = std::numeric_limits<double>::infinity();
    for (Index c = 0; c < q; ++c)
      if (c != label) smallest = std::min(smallest, f[label] - f[c]);
    return smallest;
  }
  double bregman_divergence(Index q, const double* p, double* d) const override {
    return softmax_divergence(q, p, d);
  }
};

}  // namespace

double softmax_divergence(Index outputs, const double* p, double* d) {
  const double mean = std::inner_product(d, d + outputs, p, 0.0);
  for (Index c = 0; c < outputs; ++c) d[c] -= mean;
  const double top = *std::max_element(d, d + outputs);
  double divergence = 0.0;
  if (top <= largest_power) {  // Σ p e^d = 1 + Σ p (e^d − 1 − d), as Σ p d = 0 now
    for (Index c = 0; c < outputs; ++c) divergence += p[c] * second_order_rest(d[c]);
    divergence = std::log1p(divergence);
  } else {
    for (Index c = 0; c < outputs; ++c) divergence += p[c] * std::exp(d[c] - top);
    divergence = top + std::log(divergence);
  }
  for (Index c = 0; c < outputs; ++c) d[c] = p[c] * std::expm1(d[c] - divergence);
  return divergence;
}

const Loss* logistic_loss() {
  static const LogisticLoss loss;
  return &loss;
}

const Loss* cross_entropy_loss() {
  static const CrossEntropyLoss loss;
  return &loss;
}

}  // namespace model
}  // namespace poise
