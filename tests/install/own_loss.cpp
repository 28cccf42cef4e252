// poise-train, and poise-audit as "own_loss audit", with one more loss, -loss pseudo_huber: ℓ = Σ_c √(1 +
// r_c²) − 1, r = f − y, which outliers do not dominate. Its curvature is at most 1.
#include <algorithm>
#include <cmath>
#include <string_view>

#include "poise/audit/audit.hpp"
#include "poise/model/loss.hpp"
#include "poise/run/train.hpp"

using namespace poise;

class PseudoHuber final : public Loss {
 public:
  std::string name() const override { return "pseudo_huber"; }
  std::string help() const override { return "grows like |f - y| far away"; }
  double largest_curvature() const override { return 1.0; }
  LossSum evaluate(Index q, Index p, const double* f, const double* y, double* gradient,
                   const double* weights) const override {
    LossSum sum;
    for (Index i = 0; i < p; ++i, f += q, y += q) {
      if (std::max_element(f, f + q) - f == std::max_element(y, y + q) - y) ++sum.correct;
      const double weight = weights == nullptr ? 1.0 : weights[i];
      for (Index c = 0; c < q; ++c) {
        const double residual = f[c] - y[c], root = std::sqrt(1.0 + residual * residual);
        sum.loss += weight * residual * residual / (root + 1.0);  // root − 1, without cancellation
        if (gradient != nullptr) gradient[i * q + c] = weight * residual / root;
      }
    }
    return sum;
  }
};

int main(int argc, char** argv) {
  register_loss(std::make_unique<PseudoHuber>());
  const bool audits = argc > 1 && std::string_view(argv[1]) == "audit";
  return audits ? audit_main(argc - 1, argv + 1) : train_main(argc, argv);
}
