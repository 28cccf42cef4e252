#include "poise/solve/splittings.hpp"

#include <algorithm>

namespace poise {

bool same_proximal_operator_for_every_step(Activation activation) {
  return activation == Activation::relu || activation == Activation::identity;
}

namespace {
// Blocks of both iterations.
constexpr std::size_t state = 0, injected = 1, image = 2, shifted = 3, sum = 4;
}  // namespace

ForwardBackwardIteration::ForwardBackwardIteration(MPI_Comm comm, Index columns, const PointwiseForm& form)
    : ColumnIteration(comm, form.weights.local_rows(), columns, 3),
      form_(form),
      value_(static_cast<std::size_t>(rows())) {}

ColumnIteration::Result ForwardBackwardIteration::run(Index p, const double* injection, double* z,
                                                      double alpha, const Limits& limits) {
  alpha_ = alpha;
  z_ = z;
  std::copy_n(z, rows() * p, block(state));
  std::copy_n(injection, rows() * p, block(injected));
  return iterate(p, limits);
}

void ForwardBackwardIteration::product(Index p) {
  double* z = block(state);
  const double* u = block(injected);
  const double* y = block(image);
  if (!first_product()) {
    for (Index i = 0; i < rows() * p; ++i) z[i] = (1.0 - alpha_) * z[i] + alpha_ * (y[i] + u[i]);
    activate(form_.activation, rows() * p, z, z);
  }
  form_.weights.multiply(p, z, block(image));
}

void ForwardBackwardIteration::measure(Index slot, double& residual, double& scale) {
  activate_sum(form_.activation, rows(), column(image, slot), column(injected, slot), value_.data());
  const double* z = column(state, slot);
  residual = scale = 0.0;
  for (Index i = 0; i < rows(); ++i) {
    residual += (z[i] - value_[i]) * (z[i] - value_[i]);
    scale += value_[i] * value_[i];
  }
}

void ForwardBackwardIteration::finish(Index slot, Index target, bool) {
  std::copy_n(column(state, slot), rows(), z_ + target * rows());
}

PeacemanRachfordIteration::PeacemanRachfordIteration(MPI_Comm comm, Index columns, const MeanField& mean,
                                                     Activation activation)
    : ColumnIteration(comm, mean.weights().local_rows(), columns, 5),
      mean_(mean),
      activation_(activation),
      value_(static_cast<std::size_t>(rows())) {}

ColumnIteration::Result PeacemanRachfordIteration::run(Index p, const double* injection, double* z,
                                                       double alpha, const Limits& limits) {
  alpha_ = alpha;
  z_ = z;
  std::copy_n(z, rows() * p, block(state));
  std::copy_n(z, rows() * p, block(shifted));
  std::copy_n(injection, rows() * p, block(injected));
  return iterate(p, limits);
}

// `shifted` holds w, `sum` r + αu, `image` K(r + αu) and, once measured, x.
void PeacemanRachfordIteration::product(Index p) {
  double* z = block(state);
  const double* u = block(injected);
  const double* x = block(image);
  double* w = block(shifted);
  double* s = block(sum);
  const Index size = rows() * p;
  if (!first_product()) {
    for (Index i = 0; i < size; ++i) w[i] = 2.0 * x[i] - (s[i] - alpha_ * u[i]);
    activate(activation_, size, w, z);
  }
  for (Index i = 0; i < size; ++i) s[i] = 2.0 * z[i] - w[i] + alpha_ * u[i];
  mean_.matrix().multiply(p, s, block(image));
}

void PeacemanRachfordIteration::measure(Index slot, double& residual, double& scale) {
  double* x = column(image, slot);
  const double* s = column(sum, slot);
  const double* u = column(injected, slot);
  const double d = alpha_ / (1.0 + alpha_);
  for (Index i = 0; i < rows(); ++i) {
    x[i] = (s[i] + d * x[i]) / (1.0 + alpha_);
    value_[i] = ((1.0 + alpha_) * x[i] - (s[i] - alpha_ * u[i])) / alpha_;
  }
  activate(activation_, rows(), value_.data(), value_.data());
  residual = scale = 0.0;
  for (Index i = 0; i < rows(); ++i) {
    residual += (x[i] - value_[i]) * (x[i] - value_[i]);
    scale += value_[i] * value_[i];
  }
}

void PeacemanRachfordIteration::finish(Index slot, Index target, bool) {
  std::copy_n(column(image, slot), rows(), z_ + target * rows());
}

}  // namespace poise
