#pragma once

#include "poise/model/pointwise.hpp"

namespace poise {

/// The paper's deep equilibrium linear model, THEORY.md 2.1: h(z) = γ σ(A) z + φ(x). Well posed for every A.
class SoftmaxLinear final : public Pointwise {
 public:
  /// `layout` must outlive the map; 0 < gamma < 1 (option -gamma).
  SoftmaxLinear(const ParameterLayout& layout, double gamma)
      : Pointwise(layout,
                  {.activation = Activation::identity, .weights = WeightKind::softmax, .gamma = gamma}) {}
};

}  // namespace poise
