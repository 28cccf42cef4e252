#pragma once

#include "poise/objective/sample_objective.hpp"

namespace poise {

/// THEORY.md 2.5, the shallow baseline: f(x) = W φ(x) with W (q x m) free. W is the readout, so its layout
/// has no other block. `-objective shallow`.
class ShallowObjective final : public SampleObjective {
 public:
  /// Not collective. `layout` and `problem` must outlive it; m is the number of features: a sample has m_f of
  /// them on this rank. `panel`: most samples at once. Throws failure if the layout has other blocks.
  ShallowObjective(const ParameterLayout& layout, const Problem& problem, Index panel);

 private:
  void load_network(Vec) override {}
  void clear_network_gradient() override {}
  void write_network_gradient(Vec) override {}
  void forward(Panel& panel, bool with_gradient, Evaluation& result) override;
  void backward(Panel&, Evaluation&) override {}
};

}  // namespace poise
