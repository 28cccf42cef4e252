#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/activation.hpp"
#include "poise/model/dense_layer.hpp"
#include "poise/model/equilibrium_map.hpp"
#include "poise/model/model.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/model/weights.hpp"

namespace poise {
inline namespace model {

/// The pointwise model, THEORY.md 2.2 and 2.3: h(z) = a(W(θ) z + u), u = V x̂ + b with trainable input weights
/// V (m x d) and biases b, or u = x̂ [+ b] without V. The softmax-linear model has the identity and softmax
/// weights; a monotone operator network has any activation and monotone weights.
class Pointwise : public EquilibriumMap {
 public:
  struct Shape {
    Activation activation = Activation::tanh;
    WeightKind weights = WeightKind::softmax;
    double gamma = 0.9;          ///< γ, or μ of monotone weights
    bool input_weights = false;  ///< V
    bool bias = false;           ///< b
    Index features = 0;  ///< d, rows of x̂ on all ranks of grid.feature; not used without V: then it is m
  };
  /// The model's parameter blocks, for ParameterLayout: the blocks of the weights, then V (scale 1/√d), then
  /// b (scale 0).
  [[nodiscard]] static std::vector<ParameterBlock> blocks(const Shape& shape, Index m);

  /// Collective on the world. `layout` must outlive the map and have been made with `blocks(shape, m)`.
  Pointwise(const ParameterLayout& layout, const Shape& shape);

  [[nodiscard]] Index local_states() const override { return layout_.block().size(); }
  [[nodiscard]] Index local_features() const override { return input_.local_inputs(); }
  [[nodiscard]] bool linear() const override { return shape_.activation == Activation::identity; }
  [[nodiscard]] std::optional<PointwiseForm> pointwise_form() const override {
    return PointwiseForm{matrix_, shape_.activation,
                         shape_.weights == WeightKind::monotone ? shape_.gamma : 0.0,
                         shape_.weights == WeightKind::softmax ? shape_.gamma : 0.0};
  }
  void set_parameters(Vec theta) override;
  void forget() override { weights_->forget(); }
  void inject(Index p, const double* features, double* injection) const override;
  void apply(Index p, const double* z, const double* injection, double* h) const override;
  void linearise(Index p, const double* z, const double* h, double* slopes) const override;
  void jacobian(Index p, const double* slopes, const double* v, double* out) const override;
  void jacobian_transpose(Index p, const double* slopes, const double* v, double* out) const override;
  void clear_gradient() override;
  void add_gradient(Index p, const double* slopes, const double* z, const double* features,
                    const double* lambda) override;
  void write_gradient(Vec gradient) override;
  [[nodiscard]] Index columns_multiplied() const override { return matrix_.columns_multiplied(); }

  /// Adds the gradient of a function of the pre-activations x = Wz + Vx̂ + b: `delta` is its derivative with
  /// respect to x (m_f x p).
  void add_preactivation_gradient(Index p, const double* delta, const double* z, const double* features);
  /// Adds Σ left_i right_iᵀ to ∂L/∂W only; both are m_f x p.
  void add_weight_gradient(Index p, const double* left, const double* right);

  [[nodiscard]] Certificate certificate() override { return weights_->certificate(); }
  [[nodiscard]] const Shape& shape() const { return shape_; }

 private:
  const ParameterLayout& layout_;
  Shape shape_;
  std::unique_ptr<Weights> weights_;
  RowBlockMatrix matrix_;               // W over grid.feature
  RowBlockMatrix gradient_;             // ∂L/∂W over grid.feature
  DenseLayer input_;                    // u from x̂
  std::vector<double> slice_;           // rows of this rank's slice, for gather and reduce
  mutable std::vector<double> scaled_;  // columns times slopes, which are then multiplied
};

/// The paper's deep equilibrium linear model, THEORY.md 2.1: h(z) = γ σ(A) z + φ(x). Well posed for every A.
class SoftmaxLinear final : public Pointwise {
 public:
  /// `layout` must outlive the map; 0 < gamma < 1 (option -gamma).
  SoftmaxLinear(const ParameterLayout& layout, double gamma)
      : Pointwise(layout,
                  {.activation = Activation::identity, .weights = WeightKind::softmax, .gamma = gamma}) {}
};

/// The models of Poise: softmax_linear, pointwise and monotone, which are one map with different shapes.
class PointwiseModel final : public Model {
 public:
  /// `name`: the value of -model. `shape.features` is not used.
  PointwiseModel(std::string name, const Pointwise::Shape& shape);

  [[nodiscard]] std::string description() const override;
  [[nodiscard]] bool has_own_width() const override { return shape_.input_weights; }
  [[nodiscard]] std::vector<ParameterBlock> blocks(Index features, Index m) const override;
  [[nodiscard]] std::unique_ptr<EquilibriumMap> make_map(const ParameterLayout& layout,
                                                         Index features) const override;
  [[nodiscard]] double contraction() const override;

 private:
  [[nodiscard]] Pointwise::Shape shape(Index features) const;

  std::string name_;
  Pointwise::Shape shape_;
};

}  // namespace model
}  // namespace poise
