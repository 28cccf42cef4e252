#pragma once

#include <algorithm>
#include <vector>

#include "poise/model/activation.hpp"
#include "poise/model/dense_layer.hpp"
#include "poise/model/equilibrium_map.hpp"
#include "poise/objective/sample_objective.hpp"

namespace poise {
inline namespace objective {

/// Shape of the explicit weight-tied network.
struct Unrolled {
  Index depth = 1;            ///< H >= 1, option -depth
  Index recompute_every = 0;  ///< k, option -recompute_every: keep only every k-th state; 0: keep all states
};

/// THEORY.md 2.4, the explicit counterpart of an equilibrium model: z⁽ˡ⁾ = h(z⁽ˡ⁻¹⁾), l = 1..H, where z⁽⁰⁾ is
/// zero, with exact back-propagation through the layers, for every EquilibriumMap. For the way back the
/// states of all layers of one panel are kept, H blocks. With k > 0 only ⌈H/k⌉ + k blocks are kept, and every
/// segment of k layers except the last is computed a second time. Both give the same gradient bit for bit.
/// Nothing is solved, so the Outcomes stay empty; a state that is not finite gives a loss that is not finite.
/// `-objective unrolled`.
class UnrolledObjective final : public SampleObjective {
 public:
  /// Not collective. `layout`, `map` and `problem` must outlive it. `panel`: the largest number of samples at
  /// once. Throws bad_input if the depth is below 1 or k is negative.
  UnrolledObjective(const ParameterLayout& layout, EquilibriumMap& map, const Problem& problem, Index panel,
                    const Unrolled& settings);

  /// Numbers kept on this rank for back-propagation, for the widest panel so far. Not collective.
  [[nodiscard]] Index numbers_kept() const { return static_cast<Index>(starts_.size() + layers_.size()); }

  void forget() override { map_.forget(); }

 private:
  void load_network(Vec theta) override {
    map_.forget();  // so that nothing depends on earlier parameters
    map_.set_parameters(theta);
  }
  void clear_network_gradient() override { map_.clear_gradient(); }
  void write_network_gradient(Vec gradient) override { map_.write_gradient(gradient); }
  void forward(Panel& panel, bool with_gradient, Evaluation& result) override;
  void backward(Panel& panel, Evaluation& result) override;

  void prepare(Index p, bool with_gradient);
  void run_without_history(Panel& panel);
  /// Fills layers_ with the states of segment s, computed from the segment's first state.
  void run_segment(Index s, Index p);
  /// Propagates λ in `lambda_` from the last state of segment s back to its first state.
  void propagate_segment(Index s, const Panel& panel);

  [[nodiscard]] Index segments() const { return (depth_ + length_ - 1) / length_; }
  /// Layers of segment s.
  [[nodiscard]] Index layers_of(Index s) const { return std::min(length_, depth_ - s * length_); }

  EquilibriumMap& map_;
  Index rows_, depth_;
  Index length_;                // layers of a segment: k, or all
  Index stride_ = 0;            // numbers in a block of states of the panel
  std::vector<double> starts_;  // z⁽ˢᵏ⁾ of every segment s, one block per segment
  std::vector<double> layers_;  // the states of one segment after its first, one block per layer
  std::vector<double> injection_, slopes_, lambda_, next_;
};

/// Shape of the ordinary deep network.
struct Feedforward {
  Index depth = 1;  ///< H >= 1, option -depth
  Activation activation = Activation::relu;
  Index features = 0;  ///< d, rows of x̂ on all ranks of grid.feature()
  bool bias =
      true;  ///< whether the layers have b_l; an identity activation without b_l makes a deep linear network
};

/// THEORY.md 2.4, the untied baseline: x_1 = a(W_1 x̂ + b_1), x_l = a(W_l x_{l-1} + b_l), l = 2..H, f = B
/// x_H. W_1 is m x d, every later W_l is m x m. `-objective feedforward`.
class FeedforwardObjective final : public SampleObjective {
 public:
  /// The network's parameter blocks W1, b1, W2, b2, … (or W1, W2, …), for ParameterLayout. Weights start at
  /// √(2/fan_in) for relu and leaky_relu (He), at 1/√fan_in for every other activation; biases at 0. Throws
  /// bad_input if the depth is below 1.
  [[nodiscard]] static std::vector<ParameterBlock> blocks(const Feedforward& shape, Index m);

  /// Not collective. `layout` and `problem` must outlive it; the layout must have been made with
  /// `blocks(shape, m)`. `panel`: the largest number of samples at once. Throws bad_input if the depth is
  /// below 1.
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
  std::vector<double> delta_;  // ∂L with respect to the argument of a layer's activation: m_f x p
};

/// THEORY.md 2.5, the shallow baseline: f(x) = W φ(x) with W (q x m) free. W is the readout, so its layout
/// has no other block. `-objective shallow`.
class ShallowObjective final : public SampleObjective {
 public:
  /// Not collective. `layout` and `problem` must outlive it; m is the number of features, of which this rank
  /// has m_f. `panel`: the largest number of samples at once. Throws failure if the layout has a block beside
  /// the readout.
  ShallowObjective(const ParameterLayout& layout, const Problem& problem, Index panel);

 private:
  void load_network(Vec) override {}
  void clear_network_gradient() override {}
  void write_network_gradient(Vec) override {}
  void forward(Panel& panel, bool with_gradient, Evaluation& result) override;
  void backward(Panel&, Evaluation&) override {}
};

}  // namespace objective
}  // namespace poise
