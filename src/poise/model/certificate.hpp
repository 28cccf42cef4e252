#pragma once

#include <string>

namespace poise {

/// What is known of the equilibrium equation z = h(z) at the parameters at hand.
struct Certificate {
  std::string norm;          ///< "1", "2", "monotone"; empty: nothing is known, each solve is checked
  double contraction = 0.0;  ///< bound of ‖∂h/∂z‖ in that norm; monotone: 1 − the margin of monotonicity
  /// Whether a unique equilibrium is proven.
  [[nodiscard]] bool well_posed() const { return !norm.empty() && contraction < 1.0; }
};

}  // namespace poise
