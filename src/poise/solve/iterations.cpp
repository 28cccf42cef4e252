#include "poise/solve/iterations.hpp"

#include <algorithm>

#include "poise/base/check.hpp"

namespace poise {
inline namespace solve {
namespace {

double squared_norm(Index n, const double* x) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (Index i = 0; i < n; ++i) sum += x[i] * x[i];
  return sum;
}

double squared_distance(Index n, const double* x, const double* y) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (Index i = 0; i < n; ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return sum;
}

}  // namespace

namespace {
// Blocks of PicardIteration.
constexpr std::size_t state = 0, injected = 1, mapped_state = 2;
}  // namespace

PicardIteration::PicardIteration(MPI_Comm comm, const EquilibriumMap& map, Index columns,
                                 PerronVector* perron, std::size_t depth)
    : ColumnIteration(comm, map.local_states(), columns, 3, depth, perron == nullptr ? 0 : 2),
      map_(map),
      perron_(perron),
      slopes_(perron == nullptr ? 0 : static_cast<std::size_t>(rows())) {}

ColumnIteration::Result PicardIteration::run(Index p, const double* injection, double* z,
                                             const Limits& limits) {
  if (perron_ != nullptr) perron_->update();
  z_ = z;
  std::copy_n(z, rows() * p, block(state));
  std::copy_n(injection, rows() * p, block(injected));
  return iterate(p, limits);
}

void PicardIteration::step(Index slot) {
  double* z = column(state, slot);
  const double* h = column(mapped_state, slot);
  double* next = depth() > 0 ? mapped(slot) : z;
  if (next != z) std::copy_n(z, rows(), change(slot));
  if (perron_ == nullptr) {
    std::copy_n(h, rows(), next);
  } else {
    const double* direction = perron_->entries();
    const double length = perron_->factor(shared_sum(slot, mean_slope)) * shared_sum(slot, residual_sum);
    for (Index i = 0; i < rows(); ++i) next[i] = h[i] + length * direction[i];
  }
  if (next == z) return;
  for (Index i = 0; i < rows(); ++i) change(slot)[i] = next[i] - change(slot)[i];
}

void PicardIteration::product(Index p) {
  if (!first_product()) {
    for (Index slot = 0; slot < p; ++slot) step(slot);
    if (depth() > 0) mix(p, state);
  }
  map_.apply(p, block(state), block(injected), block(mapped_state));
}

void PicardIteration::measure(Index slot, double& residual, double& scale) {
  const double* z = column(state, slot);
  const double* h = column(mapped_state, slot);
  residual = squared_distance(rows(), z, h);
  scale = squared_norm(rows(), h);
  if (perron_ == nullptr) return;
  const double* direction = perron_->entries();
  activation_slope(map_.pointwise_form()->activation, rows(), h, slopes_.data());
  double total = 0.0, slope = 0.0;
#pragma omp simd reduction(+ : total, slope)
  for (Index i = 0; i < rows(); ++i) {
    total += h[i] - z[i];
    slope += slopes_[i] * direction[i];
  }
  shared_sum(slot, residual_sum) = total;
  shared_sum(slot, mean_slope) = slope;
}

void PicardIteration::finish(Index slot, Index target, bool) {
  std::copy_n(column(state, slot), rows(), z_ + target * rows());
}

MeanFieldIteration::MeanFieldIteration(MPI_Comm comm, Index columns, const MeanField& mean,
                                       Activation activation, std::size_t depth)
    : ColumnIteration(comm, mean.weights().local_rows(), columns, 3, depth),
      mean_(mean),
      activation_(activation),
      value_(static_cast<std::size_t>(rows())) {}

ColumnIteration::Result MeanFieldIteration::run(Index p, const double* injection, double* y, double* z,
                                                const Limits& limits) {
  y_ = y;
  z_ = z;
  std::copy_n(y, rows() * p, block(0));
  std::copy_n(injection, rows() * p, block(1));
  for (Index c = 0; c < p; ++c) {
    double* g = column(2, c);
    activate_sum(activation_, rows(), column(0, c), column(1, c), g);
    for (Index i = 0; i < rows(); ++i) g[i] -= mean_.slopes()[i] * y[c * rows() + i];
  }
  return iterate(p, limits);
}

void MeanFieldIteration::product(Index p) {
  if (depth() > 0 && !first_product()) mix(p, 2);
  mean_.multiply(p, block(2), block(0), depth() == 0 && far_from_done());
}

void MeanFieldIteration::measure(Index slot, double& residual, double& scale) {
  const double* y = column(0, slot);
  const double* d = mean_.slopes();
  double* g = column(2, slot);
  double* z = value_.data();
  activate_sum(activation_, rows(), y, column(1, slot), z);
  double* next = depth() > 0 ? mapped(slot) : g;
  double distance = 0.0;
  double size = 0.0;
  if (depth() > 0)
    for (Index i = 0; i < rows(); ++i) change(slot)[i] = z[i] - d[i] * y[i] - g[i];
#pragma omp simd reduction(+ : distance, size)
  for (Index i = 0; i < rows(); ++i) {
    const double image = z[i] - d[i] * y[i];
    distance += (image - g[i]) * (image - g[i]);
    size += z[i] * z[i];
    next[i] = image;
  }
  residual = mean_.weight_norm() * mean_.weight_norm() * distance;
  scale = size;
}

void MeanFieldIteration::finish(Index slot, Index target, bool) {
  std::copy_n(column(0, slot), rows(), y_ + target * rows());
  activate_sum(activation_, rows(), column(0, slot), column(1, slot), z_ + target * rows());
}

// Blocks of both linear iterations: x or v; right-hand sides; slopes; w, g or the image of x.
namespace {
constexpr std::size_t iterate_block = 0, rhs_block = 1, slope_block = 2, image_block = 3;
}  // namespace

MeanFieldLinear::MeanFieldLinear(const PanelOperator& op, std::size_t depth)
    : ColumnIteration(op.comm(), op.map().local_states(), op.columns(), 4, depth) {}

ColumnIteration::Result MeanFieldLinear::run(PanelOperator& op, bool transposed, const double* rhs, double* x,
                                             const Limits& limits) {
  mean_ = &op.mean_field();
  transposed_ = transposed;
  x_ = x;
  const Index p = op.p();
  const Index size = rows() * p;
  std::copy_n(rhs, size, block(rhs_block));
  if (op.slopes() == nullptr)
    std::fill_n(block(slope_block), size, 1.0);
  else
    std::copy_n(op.slopes(), size, block(slope_block));
  const double* d = mean_->slopes();
  if (!transposed) {  // y = Wx
    mean_->weights().multiply(p, x, block(iterate_block));
    op.count_products(1);
  }
  for (Index c = 0; c < p; ++c) {
    const double* s = column(slope_block, c);
    const double* r = column(rhs_block, c);
    const double* y = column(iterate_block, c);
    double* w = column(image_block, c);
    for (Index i = 0; i < rows(); ++i) {
      const double start = x[c * rows() + i];
      w[i] = transposed ? s[i] * start - d[i] * (start - r[i]) : r[i] + (s[i] - d[i]) * y[i];
    }
  }
  return iterate(p, limits);
}

void MeanFieldLinear::product(Index p) {
  if (depth() > 0 && !first_product()) mix(p, image_block);
  const bool single = depth() == 0 && far_from_done();
  if (transposed_)
    mean_->multiply_transpose(p, block(image_block), block(iterate_block), single);
  else
    mean_->multiply(p, block(image_block), block(iterate_block), single);
}

void MeanFieldLinear::measure(Index slot, double& residual, double& scale) {
  const double* v = column(iterate_block, slot);
  const double* r = column(rhs_block, slot);
  const double* s = column(slope_block, slot);
  const double* d = mean_->slopes();
  double* w = column(image_block, slot);
  double* next = depth() > 0 ? mapped(slot) : w;
  const bool transposed = transposed_;
  const auto image = [=](Index i) {
    return transposed ? s[i] * (r[i] + v[i]) - d[i] * v[i] : r[i] + s[i] * v[i] - d[i] * v[i];
  };
  double distance = 0.0;
  double size = 0.0;
  if (depth() > 0)
    for (Index i = 0; i < rows(); ++i) change(slot)[i] = image(i) - w[i];
#pragma omp simd reduction(+ : distance, size)
  for (Index i = 0; i < rows(); ++i) {
    const double now = image(i);
    distance += (now - w[i]) * (now - w[i]);
    size += r[i] * r[i];
    next[i] = now;
  }
  residual = mean_->weight_norm() * mean_->weight_norm() * distance;
  scale = size;
}

void MeanFieldLinear::finish(Index slot, Index target, bool) {
  const double* v = column(iterate_block, slot);
  const double* r = column(rhs_block, slot);
  const double* s = column(slope_block, slot);
  for (Index i = 0; i < rows(); ++i) x_[target * rows() + i] = r[i] + (transposed_ ? v[i] : s[i] * v[i]);
}

NeumannIteration::NeumannIteration(const PanelOperator& op, PerronVector* perron, std::size_t depth)
    : ColumnIteration(op.comm(), op.map().local_states(), op.columns(), 4, depth, perron == nullptr ? 0 : 2),
      map_(op.map()),
      perron_(perron) {}

bool NeumannIteration::suits(const PanelOperator& op) {
  // All ranks must agree: on some ranks the numbers of rows may be equal by chance.
  const EquilibriumMap& map = op.map();
  int fits = map.slope_rows() == 0 || map.slope_rows() == map.local_states() ? 1 : 0;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &fits, 1, MPI_INT, MPI_MIN, op.comm()));
  return fits == 1;
}

ColumnIteration::Result NeumannIteration::run(PanelOperator& op, bool transposed, const double* rhs,
                                              double* x, const Limits& limits) {
  if (perron_ != nullptr) perron_->update();
  transposed_ = transposed;
  x_ = x;
  const Index p = op.p();
  std::copy_n(x, rows() * p, block(iterate_block));
  std::copy_n(rhs, rows() * p, block(rhs_block));
  if (op.slopes() != nullptr) std::copy_n(op.slopes(), map_.slope_rows() * p, block(slope_block));
  return iterate(p, limits);
}

// The next x is r + Jx + c p 1ᵀ(r + Jx − x), with 1 and p exchanged in the transposed equation.
void NeumannIteration::step(Index slot) {
  double* x = column(iterate_block, slot);
  const double* r = column(rhs_block, slot);
  const double* image = column(image_block, slot);
  double* next = depth() > 0 ? mapped(slot) : x;
  if (next != x) std::copy_n(x, rows(), change(slot));
  for (Index i = 0; i < rows(); ++i) next[i] = r[i] + image[i];
  if (perron_ != nullptr) {
    const double length = perron_->factor(shared_sum(slot, mean_slope)) * shared_sum(slot, residual_sum);
    for (Index i = 0; i < rows(); ++i) next[i] += transposed_ ? length : length * perron_->entries()[i];
  }
  if (next == x) return;
  for (Index i = 0; i < rows(); ++i) change(slot)[i] = next[i] - change(slot)[i];
}

void NeumannIteration::product(Index p) {
  if (!first_product()) {
    for (Index slot = 0; slot < p; ++slot) step(slot);
    if (depth() > 0) mix(p, iterate_block);
  }
  const auto multiply = transposed_ ? &EquilibriumMap::jacobian_transpose : &EquilibriumMap::jacobian;
  (map_.*multiply)(p, block(slope_block), block(iterate_block), block(image_block));
}

void NeumannIteration::measure(Index slot, double& residual, double& scale) {
  const double* x = column(iterate_block, slot);
  const double* r = column(rhs_block, slot);
  const double* image = column(image_block, slot);
  double distance = 0.0;
#pragma omp simd reduction(+ : distance)
  for (Index i = 0; i < rows(); ++i) {
    const double difference = x[i] - image[i] - r[i];
    distance += difference * difference;
  }
  residual = distance;
  scale = squared_norm(rows(), r);
  if (perron_ == nullptr) return;
  const double* direction = perron_->entries();
  const double* s = map_.linear() ? nullptr : column(slope_block, slot);
  double total = 0.0;
  double slope = 0.0;
  for (Index i = 0; i < rows(); ++i) {
    total += (transposed_ ? direction[i] : 1.0) * (r[i] + image[i] - x[i]);
    slope += s == nullptr ? direction[i] : s[i] * direction[i];
  }
  shared_sum(slot, residual_sum) = total;
  shared_sum(slot, mean_slope) = slope;
}

void NeumannIteration::finish(Index slot, Index target, bool) {
  std::copy_n(column(iterate_block, slot), rows(), x_ + target * rows());
}

bool same_proximal_operator_for_every_step(Activation activation) {
  return activation == Activation::relu || activation == Activation::identity;
}

namespace {
// Blocks of both splittings, beside `state` and `injected`.
constexpr std::size_t image = 2, shifted = 3, sum = 4;
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

}  // namespace solve
}  // namespace poise
