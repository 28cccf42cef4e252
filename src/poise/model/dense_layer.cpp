#include "poise/model/dense_layer.hpp"

#include <algorithm>

namespace poise {
inline namespace model {

DenseLayer::DenseLayer(const ParameterLayout& layout, const std::string& weights, const std::string& bias)
    : layout_(layout) {
  Index columns = 0;
  if (!weights.empty()) {
    weights_block_ = &layout.block_of(weights);
    columns = weights_block_->columns;
    const MPI_Comm comm = layout.grid().feature();
    const auto inputs = layout.grid().feature_offsets(columns);
    weights_ = std::make_unique<RowBlockMatrix>(comm, layout.block_offsets(), inputs, layout.matrix_type());
    weights_gradient_ = std::make_unique<RowBlockMatrix>(comm, layout.block_offsets(), inputs);
  }
  if (!bias.empty()) {
    bias_block_ = &layout.block_of(bias);
    columns = std::max<Index>(columns, 1);
    bias_.resize(static_cast<std::size_t>(layout.block().size()));
    bias_gradient_.resize(bias_.size());
  }
  slice_.resize(static_cast<std::size_t>(layout.slice().size() * columns));
}

Index DenseLayer::local_inputs() const {
  return weights_ ? weights_->local_columns() : layout_.block().size();
}

void DenseLayer::gather(const ParameterBlock& block, const double* theta, double* rows) {
  for (Index i = 0; i < layout_.slice().size(); ++i)
    std::copy_n(theta + i * layout_.row_length() + block.offset, block.columns,
                slice_.data() + i * block.columns);
  layout_.gather_block(slice_.data(), block.columns, rows);
}

void DenseLayer::reduce(const ParameterBlock& block, const double* rows, double* gradient) {
  layout_.reduce_block(rows, block.columns, slice_.data());
  for (Index i = 0; i < layout_.slice().size(); ++i)
    std::copy_n(slice_.data() + i * block.columns, block.columns,
                gradient + i * layout_.row_length() + block.offset);
}

void DenseLayer::set_parameters(const double* theta) {
  if (weights_) gather(*weights_block_, theta, weights_->rows());
  if (bias_block_ != nullptr) gather(*bias_block_, theta, bias_.data());
}

void DenseLayer::multiply(Index p, const double* x, double* y) const {
  const Index rows = layout_.block().size();
  if (weights_)
    weights_->multiply(p, x, y);
  else
    std::copy_n(x, rows * p, y);
  if (bias_block_ == nullptr) return;
  for (Index c = 0; c < p; ++c)
    for (Index i = 0; i < rows; ++i) y[c * rows + i] += bias_[i];
}

void DenseLayer::multiply_transpose(Index p, const double* delta, double* out) const {
  if (weights_)
    weights_->multiply_transpose(p, delta, out);
  else
    std::copy_n(delta, layout_.block().size() * p, out);
}

void DenseLayer::clear_gradient() {
  if (weights_) std::fill_n(weights_gradient_->rows(), weights_->local_rows() * weights_->width(), 0.0);
  std::fill(bias_gradient_.begin(), bias_gradient_.end(), 0.0);
}

void DenseLayer::add_gradient(Index p, const double* delta, const double* x) {
  if (weights_) weights_gradient_->add_outer_product(p, delta, x);
  if (bias_block_ == nullptr) return;
  const Index rows = layout_.block().size();
  for (Index c = 0; c < p; ++c)
    for (Index i = 0; i < rows; ++i) bias_gradient_[i] += delta[c * rows + i];
}

void DenseLayer::write_gradient(double* gradient) {
  if (weights_) reduce(*weights_block_, weights_gradient_->rows(), gradient);
  if (bias_block_ != nullptr) reduce(*bias_block_, bias_gradient_.data(), gradient);
}

}  // namespace model
}  // namespace poise
