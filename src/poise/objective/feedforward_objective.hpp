#pragma once

#include <vector>

#include "poise/model/activation.hpp"
#include "poise/model/dense_layer.hpp"
#include "poise/objective/sample_objective.hpp"

namespace poise {

/// Shape of the ordinary deep network.
struct Feedforward {
  Index depth = 1;  ///< H >= 1, option -depth
  Activation activation = Activation::relu;
  Index features = 0;  ///< d, rows of x̂ on all ranks of grid.feature()
  bool bias = true;    ///< b_l; without, an identity activation makes a deep linear network
};

/// THEORY.md 2.4, the untied baseline: x_1 = a(W_1 x̂ + b_1), x_l = a(W_l x_{l-1} + b_l), l = 2..H, f = B x_H.
/// W_1 is m x d, the others m x m. `-objective feedforward`.
class FeedforwardObjective final : public SampleObjective {
 public:
  /// The network's parameter blocks W1, b1, W2, b2, … (or W1, W2, …), for ParameterLayout. Weights start at
  /// √(2/fan_in) for relu and leaky_relu (He), at 1/√fan_in for the others; biases at 0. Throws bad_input if
  /// the depth is below 1.
  [[nodiscard]] static std::vector<ParameterBlock> blocks(const Feedforward& shape, Index m);

  /// Not collective. `layout` and `problem` must outlive it; the layout must have been made with
  /// `blocks(shape, m)`. `panel`: most samples at once. Throws bad_input if the depth is below 1.
  FeedforwardObjective(const ParameterLayout& layout, const Problem& problem, Index panel,
                       const Feedforward& shape);

 private:
  void load_network(Vec theta) override;
  void clear_network_gradient() override;
  void write_network_gradient(Vec gradient) override;
  void forward(Panel& panel, bool with_gradient, Evaluation& result) override;
  void backward(Panel& panel, Evaluation& result) override;

  Activation activation_;
  std::vector<DenseLayer> layers_;
  std::vector<std::vector<double>> states_;  // x_1 … x_H of a panel: m_f x p
  std::vector<double> delta_;                // ∂L/∂ of what a layer's activation is applied to: m_f x p
};

}  // namespace poise
