#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "poise/base/error.hpp"
#include "poise/model/classification_loss.hpp"
#include "poise/model/exponential.hpp"

namespace poise {
namespace {

/// ℓ = log Σ_c e^{f_c} − f_y.
class CrossEntropyLoss final : public ClassificationLoss {
 public:
  [[nodiscard]] std::string name() const override { return "cross_entropy"; }
  [[nodiscard]] std::string help() const override { return ""; }
  [[nodiscard]] Targets targets() const override { return Targets::classes; }
  [[nodiscard]] double largest_curvature() const override { return 0.5; }

  /// Some samples at a time, so that exponentials come in long vectors.
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
  /// ∇²ℓ = diag(p) − ppᵀ has, by interlacing, no eigenvalue but that of 1 below min_c p_c, which is at least
  /// 1/(1 + (q − 1)e^spread); with q = 2 it is 2 p₁p₂ >= 1/(1 + cosh spread), sharp.
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

const Loss* cross_entropy_loss() {
  static const CrossEntropyLoss loss;
  return &loss;
}

}  // namespace poise
