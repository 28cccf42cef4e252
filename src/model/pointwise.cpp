#include "poise/model/pointwise.hpp"

#include <algorithm>
#include <cmath>

#include "poise/model/weight_kinds.hpp"

namespace poise {

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
      matrix_(layout.grid().feature(), layout.block_offsets()),
      gradient_(layout.grid().feature(), layout.block_offsets()) {
  Index columns = layout.width();
  if (shape.input_weights) {
    const auto offsets = layout.grid().feature_offsets(shape.features);
    input_ = std::make_unique<RowBlockMatrix>(layout.grid().feature(), layout.block_offsets(), offsets);
    input_gradient_ =
        std::make_unique<RowBlockMatrix>(layout.grid().feature(), layout.block_offsets(), offsets);
    columns = std::max(columns, shape.features);
  }
  if (shape.bias) {
    bias_.resize(static_cast<std::size_t>(layout.block().size()));
    bias_gradient_.resize(bias_.size());
  }
  slice_.resize(static_cast<std::size_t>(layout.slice().size() * columns));
}

Index Pointwise::local_features() const {
  return input_ ? input_->local_columns() : local_states();
}

namespace {

void clear(RowBlockMatrix& matrix) {
  std::fill_n(matrix.rows(), matrix.local_rows() * matrix.width(), 0.0);
}

}  // namespace

void Pointwise::set_parameters(Vec theta) {
  weights_->evaluate(theta, slice_.data());
  layout_.gather_block(slice_.data(), layout_.width(), matrix_.rows());
  const ReadArray values(theta);
  if (input_) {
    take_columns(layout_, layout_.block_of("V"), values.data(), slice_.data());
    layout_.gather_block(slice_.data(), shape_.features, input_->rows());
  }
  if (shape_.bias) {
    take_columns(layout_, layout_.block_of("b"), values.data(), slice_.data());
    layout_.gather_block(slice_.data(), 1, bias_.data());
  }
}

void Pointwise::inject(Index p, const double* features, double* injection) const {
  const Index rows = local_states();
  if (input_)
    input_->multiply(p, features, injection);
  else
    std::copy_n(features, rows * p, injection);
  if (!shape_.bias) return;
  for (Index c = 0; c < p; ++c)
    for (Index i = 0; i < rows; ++i) injection[c * rows + i] += bias_[i];
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
  clear(gradient_);
  if (input_) clear(*input_gradient_);
  std::fill(bias_gradient_.begin(), bias_gradient_.end(), 0.0);
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
  if (input_) input_gradient_->add_outer_product(p, delta, features);
  if (!shape_.bias) return;
  for (Index c = 0; c < p; ++c)
    for (Index i = 0; i < local_states(); ++i) bias_gradient_[i] += delta[c * local_states() + i];
}

void Pointwise::add_weight_gradient(Index p, const double* left, const double* right) {
  gradient_.add_outer_product(p, left, right);
}

void Pointwise::write_gradient(Vec gradient) {
  layout_.reduce_block(gradient_.rows(), layout_.width(), slice_.data());
  WriteArray values(gradient);
  weights_->pullback(slice_.data(), values.data());
  if (input_) {
    layout_.reduce_block(input_gradient_->rows(), shape_.features, slice_.data());
    put_columns(layout_, layout_.block_of("V"), slice_.data(), values.data());
  }
  if (shape_.bias) {
    layout_.reduce_block(bias_gradient_.data(), 1, slice_.data());
    put_columns(layout_, layout_.block_of("b"), slice_.data(), values.data());
  }
}

}  // namespace poise
