#include "poise/model/pointwise.hpp"

#include <algorithm>
#include <cmath>

namespace poise {
inline namespace model {

std::vector<ParameterBlock> Pointwise::blocks(const Shape& shape, Index m) {
  std::vector<ParameterBlock> blocks = weight_blocks(shape.weights, m);
  if (shape.input_weights)
    blocks.push_back({.name = "V",
                      .columns = shape.features,
                      .scale = 1.0 / std::sqrt(static_cast<double>(std::max<Index>(1, shape.features)))});
  if (shape.bias) blocks.push_back({.name = "b", .columns = 1, .scale = 0.0});
  return blocks;
}

Pointwise::Pointwise(const ParameterLayout& layout, const Shape& shape)
    : layout_(layout),
      shape_(shape),
      weights_(make_weights(shape.weights, layout, shape.gamma)),
      matrix_(layout.grid().feature(), layout.block_offsets(), layout.matrix_type()),
      gradient_(layout.grid().feature(), layout.block_offsets()),
      input_(layout, shape.input_weights ? "V" : "", shape.bias ? "b" : ""),
      slice_(static_cast<std::size_t>(layout.slice().size() * layout.width())) {}

void Pointwise::set_parameters(Vec theta) {
  weights_->evaluate(theta, slice_.data());
  layout_.gather_block(slice_.data(), layout_.width(), matrix_.rows());
  const ReadArray values(theta);
  input_.set_parameters(values.data());
}

void Pointwise::inject(Index p, const double* features, double* injection) const {
  input_.multiply(p, features, injection);
}

void Pointwise::apply(Index p, const double* z, const double* injection, double* h) const {
  matrix_.multiply(p, z, h);
  activate_sum(shape_.activation, local_states() * p, h, injection, h);
}

void Pointwise::linearise(Index p, const double*, const double* h, double* slopes) const {
  if (!linear()) activation_slope(shape_.activation, local_states() * p, h, slopes);
}

void Pointwise::jacobian(Index p, const double* slopes, const double* v, double* out) const {
  matrix_.multiply(p, v, out);
  if (linear()) return;
  for (Index i = 0; i < local_states() * p; ++i) out[i] *= slopes[i];
}

void Pointwise::jacobian_transpose(Index p, const double* slopes, const double* v, double* out) const {
  if (linear()) return matrix_.multiply_transpose(p, v, out);
  const Index size = local_states() * p;
  scaled_.resize(std::max(scaled_.size(), static_cast<std::size_t>(size)));
  for (Index i = 0; i < size; ++i) scaled_[i] = slopes[i] * v[i];
  matrix_.multiply_transpose(p, scaled_.data(), out);
}

void Pointwise::clear_gradient() {
  std::fill_n(gradient_.rows(), gradient_.local_rows() * gradient_.width(), 0.0);
  input_.clear_gradient();
}

void Pointwise::add_gradient(Index p, const double* slopes, const double* z, const double* features,
                             const double* lambda) {
  if (linear()) return add_preactivation_gradient(p, lambda, z, features);
  const Index size = local_states() * p;
  scaled_.resize(std::max(scaled_.size(), static_cast<std::size_t>(size)));
  for (Index i = 0; i < size; ++i) scaled_[i] = slopes[i] * lambda[i];
  add_preactivation_gradient(p, scaled_.data(), z, features);
}

void Pointwise::add_preactivation_gradient(Index p, const double* delta, const double* z,
                                           const double* features) {
  add_weight_gradient(p, delta, z);
  input_.add_gradient(p, delta, features);
}

void Pointwise::add_weight_gradient(Index p, const double* left, const double* right) {
  gradient_.add_outer_product(p, left, right);
}

void Pointwise::write_gradient(Vec gradient) {
  layout_.reduce_block(gradient_.rows(), layout_.width(), slice_.data());
  WriteArray values(gradient);
  weights_->pullback(slice_.data(), values.data());
  input_.write_gradient(values.data());
}

PointwiseModel::PointwiseModel(std::string name, const Pointwise::Shape& shape)
    : name_(std::move(name)), shape_(shape) {}

Pointwise::Shape PointwiseModel::shape(Index features) const {
  Pointwise::Shape shape = shape_;
  shape.features = features;
  return shape;
}

std::string PointwiseModel::description() const {
  const std::string a = to_string(shape_.activation);
  if (shape_.weights == WeightKind::monotone) return name_ + ", margin = " + to_text(shape_.gamma) + ", " + a;
  const std::string gamma = "gamma = " + to_text(shape_.gamma);
  if (shape_.activation == Activation::identity && !shape_.input_weights && !shape_.bias &&
      shape_.weights == WeightKind::softmax && name_ != "pointwise")
    return name_ + ", " + gamma;
  return name_ + ", " + to_string(shape_.weights) + " weights, " + gamma + ", " + a;
}

std::vector<ParameterBlock> PointwiseModel::blocks(Index features, Index m) const {
  return Pointwise::blocks(shape(features), m);
}

std::unique_ptr<EquilibriumMap> PointwiseModel::make_map(const ParameterLayout& layout,
                                                         Index features) const {
  return std::make_unique<Pointwise>(layout, shape(features));
}

double PointwiseModel::contraction() const {
  const double bound = shape_.weights == WeightKind::monotone ? 1.0 - shape_.gamma : shape_.gamma;
  return std::min(bound, 0.99);
}

}  // namespace model
}  // namespace poise
