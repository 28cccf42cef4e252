#include "poise/theory/dynamics_eigenvalues.hpp"
#include "poise_spectrum/sections.hpp"

namespace poise::spectrum {

void Sections::dynamics() {
  table_.section("dynamics", "D of d vec(W)/dt = -D vec(grad L0(W)) (THEORY.md 4)");
  if (!dynamics_) return table_.note("does not apply: D is defined for -model softmax_linear");
  (void)collapsed_->set_parameters(experiment_.theta());
  dynamics_->update(collapsed_->w());
  const SmallestEigenvalue smallest = smallest_->solve();
  table_.add({.name = "smallest_eigenvalue",
              .label = "lambda_min",
              .value = smallest.lambda_min,
              .residual = smallest.lambda_min - smallest.lower_bound,
              .theory = {">=", 1.0 / (largest_of_u_ * largest_of_u_), "1/sigma_max(U)^2 (4.4)"},
              .products = smallest.products});
  table_.add({.name = "floor",
              .label = "its floor at any time",
              .value = dynamics_->lambda_floor(),
              .theory = {"", 0.0, "1/(m (1 + gamma)^2) (4.4)"}});
  const SpectralValue largest = largest_dynamics_eigenvalue(*dynamics_, *collapsed_);
  table_.add("largest_eigenvalue", "lambda_max", largest, {"", 0.0, "what limits an explicit step in time"});
  table_.add({.name = "condition", .label = "condition", .value = largest.value / smallest.lambda_min});
}

}  // namespace poise::spectrum
