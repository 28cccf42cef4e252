#pragma once

#include <memory>
#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/activation.hpp"
#include "poise/model/dense_layer.hpp"
#include "poise/model/equilibrium_map.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/model/weights.hpp"

namespace poise {

/// The pointwise model, THEORY.md 2.2 and 2.3: h(z) = a(W(θ) z + u), u = V x̂ + b with trainable input weights
/// V (m x d) and biases b, or u = x̂ [+ b] without V. Softmax-linear is the identity on softmax weights, the
/// monotone operator network any activation on monotone ones.
class Pointwise : public EquilibriumMap {
 public:
  struct Shape {
    Activation activation = Activation::tanh;
    WeightKind weights = WeightKind::softmax;
    double gamma = 0.9;          ///< γ, or μ of monotone weights
    bool input_weights = false;  ///< V
    bool bias = false;           ///< b
    Index features = 0;          ///< d, rows of x̂ on all ranks of grid.feature; with V only, else it is m
  };
  /// The model's parameter blocks, for ParameterLayout: those of the weights, then V (scale 1/√d), b (0).
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
  /// respect to them (m_f x p).
  void add_preactivation_gradient(Index p, const double* delta, const double* z, const double* features);
  /// Adds Σ left_i right_iᵀ to ∂L/∂W alone; both m_f x p.
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
  mutable std::vector<double> scaled_;  // slopes times what is multiplied
};

}  // namespace poise
