#include "poise/model/softmax_linear.hpp"

#include <algorithm>

#include "poise/model/softmax.hpp"

namespace poise {

SoftmaxLinear::SoftmaxLinear(const ParameterLayout& layout, double gamma)
    : layout_(layout),
      gamma_(gamma),
      softmax_slice_(static_cast<std::size_t>(layout.slice().size() * layout.width())),
      weights_(layout.grid().feature(), layout.block_offsets()),
      gradient_(layout.grid().feature(), layout.block_offsets()) {}

void SoftmaxLinear::set_parameters(Vec theta) {
  const ReadArray values(theta);
  column_softmax(layout_.grid().world(), layout_.slice().size(), layout_.width(), values.data(),
                 layout_.row_length(), softmax_slice_.data());
  layout_.gather_block(softmax_slice_.data(), layout_.width(), weights_.rows());
  double* weights = weights_.rows();
  for (Index i = 0; i < weights_.local_rows() * weights_.width(); ++i) weights[i] *= gamma_;
}

void SoftmaxLinear::apply(Index p, const double* z, const double* injection, double* h) const {
  weights_.multiply(p, z, h);
  const Index size = local_states() * p;
  for (Index i = 0; i < size; ++i) h[i] += injection[i];
}

void SoftmaxLinear::jacobian(Index p, const double*, const double* v, double* out) const {
  weights_.multiply(p, v, out);
}

void SoftmaxLinear::jacobian_transpose(Index p, const double*, const double* v, double* out) const {
  weights_.multiply_transpose(p, v, out);
}

void SoftmaxLinear::clear_gradient() {
  std::fill_n(gradient_.rows(), gradient_.local_rows() * gradient_.width(), 0.0);
}

void SoftmaxLinear::add_gradient(Index p, const double* z, const double* lambda) {
  gradient_.add_outer_product(p, lambda, z);
}

void SoftmaxLinear::write_gradient(Vec gradient) {
  const Index rows = layout_.slice().size();
  std::vector<double> k(static_cast<std::size_t>(rows * layout_.width()));
  layout_.reduce_block(gradient_.rows(), layout_.width(), k.data());
  for (double& entry : k) entry *= gamma_;  // K = ∂L/∂S = γ Σ λ zᵀ
  WriteArray values(gradient);
  column_softmax_pullback(layout_.grid().world(), rows, layout_.width(), softmax_slice_.data(), k.data(),
                          layout_.width(), values.data(), layout_.row_length());
}

}  // namespace poise
