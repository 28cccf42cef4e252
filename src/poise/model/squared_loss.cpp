#include <algorithm>
#include <numeric>

#include "poise/model/loss.hpp"

namespace poise {
namespace {

/// ℓ = ‖f − y‖².
class SquaredLoss final : public Loss {
 public:
  [[nodiscard]] std::string name() const override { return "squared"; }
  [[nodiscard]] std::string help() const override { return ""; }
  [[nodiscard]] double largest_curvature() const override { return 2.0; }
  [[nodiscard]] bool has_curvature() const override { return true; }
  [[nodiscard]] bool least_squares() const override { return true; }

  LossSum evaluate(Index q, Index p, const double* f, const double* y, double* gradient,
                   const double* weights) const override {
    LossSum sum;
    for (Index i = 0; i < p; ++i, f += q, y += q) {
      if (q > 1 && std::max_element(f, f + q) - f == std::max_element(y, y + q) - y) ++sum.correct;
      if (q == 1 && (f[0] > 0.5) == (y[0] > 0.5)) ++sum.correct;
      const double weight = weights == nullptr ? 1.0 : weights[i];
      for (Index c = 0; c < q; ++c) {
        const double difference = f[c] - y[c];
        sum.loss += weight * difference * difference;
        if (gradient != nullptr) gradient[i * q + c] = 2.0 * weight * difference;
      }
    }
    return sum;
  }

  void multiply_curvature(Index q, Index p, const double* /*slopes*/, double* v,
                          const double* weights) const override {
    for (Index i = 0; i < p; ++i, v += q)
      for (Index c = 0; c < q; ++c) v[c] *= 2.0 * (weights == nullptr ? 1.0 : weights[i]);
  }
};

class LinearLoss final : public Loss {
 public:
  [[nodiscard]] std::string name() const override { return "linear"; }
  [[nodiscard]] std::string help() const override { return ""; }
  [[nodiscard]] double largest_curvature() const override { return 0.0; }
  [[nodiscard]] bool bounded_below() const override { return false; }

  LossSum evaluate(Index q, Index p, const double* f, const double* y, double* gradient,
                   const double* /*weights*/) const override {
    LossSum sum;
    sum.loss = std::inner_product(f, f + q * p, y, 0.0);
    if (gradient != nullptr) std::copy_n(y, q * p, gradient);
    return sum;
  }
};

}  // namespace

const Loss* squared_loss() {
  static const SquaredLoss loss;
  return &loss;
}

const Loss* linear_loss() {
  static const LinearLoss loss;
  return &loss;
}

}  // namespace poise
