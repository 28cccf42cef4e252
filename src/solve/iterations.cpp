#include "poise/solve/iterations.hpp"

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"

namespace poise {
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

PicardIteration::PicardIteration(MPI_Comm comm, const EquilibriumMap& map, Index columns)
    : ColumnIteration(comm, map.local_states(), columns, 3), map_(map) {}

ColumnIteration::Result PicardIteration::run(Index p, const double* injection, double* z,
                                             const Limits& limits) {
  z_ = z;
  std::copy_n(z, rows() * p, block(0));
  std::copy_n(injection, rows() * p, block(1));
  return iterate(p, limits);
}

void PicardIteration::product(Index p) {
  if (first_product()) return map_.apply(p, block(0), block(1), block(2));
  std::copy_n(block(2), rows() * p, block(0));
  map_.apply(p, block(0), block(1), block(2));
}

void PicardIteration::measure(Index slot, double& residual, double& scale) {
  residual = squared_distance(rows(), column(0, slot), column(2, slot));
  scale = squared_norm(rows(), column(2, slot));
}

void PicardIteration::finish(Index slot, Index target, bool) {
  std::copy_n(column(0, slot), rows(), z_ + target * rows());
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

MeanFieldAdjoint::MeanFieldAdjoint(MPI_Comm comm, Index columns, const MeanField& mean, bool linear,
                                   std::size_t depth)
    : ColumnIteration(comm, mean.weights().local_rows(), columns, 4, depth), mean_(mean), linear_(linear) {}

ColumnIteration::Result MeanFieldAdjoint::run(Index p, const double* slopes, const double* rhs,
                                              double* lambda, const Limits& limits) {
  lambda_ = lambda;
  const Index size = rows() * p;
  std::copy_n(rhs, size, block(1));
  if (linear_)
    std::fill_n(block(2), size, 1.0);
  else
    std::copy_n(slopes, size, block(2));
  const double* d = mean_.slopes();
  for (Index c = 0; c < p; ++c) {
    const double* s = column(2, c);
    double* w = column(3, c);
    for (Index i = 0; i < rows(); ++i) {
      const double start = lambda[c * rows() + i];
      w[i] = s[i] * start - d[i] * (start - rhs[c * rows() + i]);
    }
  }
  return iterate(p, limits);
}

void MeanFieldAdjoint::product(Index p) {
  if (depth() > 0 && !first_product()) mix(p, 3);
  mean_.multiply_transpose(p, block(3), block(0), depth() == 0 && far_from_done());
}

void MeanFieldAdjoint::measure(Index slot, double& residual, double& scale) {
  const double* v = column(0, slot);
  const double* r = column(1, slot);
  const double* s = column(2, slot);
  const double* d = mean_.slopes();
  double* w = column(3, slot);
  double* next = depth() > 0 ? mapped(slot) : w;
  double distance = 0.0;
  double size = 0.0;
  if (depth() > 0)
    for (Index i = 0; i < rows(); ++i) change(slot)[i] = s[i] * (r[i] + v[i]) - d[i] * v[i] - w[i];
#pragma omp simd reduction(+ : distance, size)
  for (Index i = 0; i < rows(); ++i) {
    const double image = s[i] * (r[i] + v[i]) - d[i] * v[i];
    distance += (image - w[i]) * (image - w[i]);
    size += r[i] * r[i];
    next[i] = image;
  }
  residual = mean_.weight_norm() * mean_.weight_norm() * distance;
  scale = size;
}

void MeanFieldAdjoint::finish(Index slot, Index target, bool) {
  const double* v = column(0, slot);
  const double* r = column(1, slot);
  for (Index i = 0; i < rows(); ++i) lambda_[target * rows() + i] = r[i] + v[i];
}

NeumannIteration::NeumannIteration(MPI_Comm comm, const EquilibriumMap& map, Index columns)
    : ColumnIteration(comm, map.local_states(), columns, 4), map_(map) {
  // Ranks must agree: on some of them the rows may be as many by chance.
  int fits = map.slope_rows() == 0 || map.slope_rows() == map.local_states() ? 1 : 0;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &fits, 1, MPI_INT, MPI_MIN, comm));
  if (fits == 0)
    throw Error(ExitCode::bad_input,
                "-adj_ksp_type neumann does not fit this model: its slopes are no block of states", true);
}

ColumnIteration::Result NeumannIteration::run(Index p, const double* slopes, const double* rhs,
                                              double* lambda, const Limits& limits) {
  lambda_ = lambda;
  std::copy_n(lambda, rows() * p, block(0));
  std::copy_n(rhs, rows() * p, block(1));
  std::copy_n(slopes, map_.slope_rows() * p, block(2));
  return iterate(p, limits);
}

void NeumannIteration::product(Index p) {
  if (!first_product())
    for (Index i = 0; i < rows() * p; ++i) block(0)[i] = block(1)[i] + block(3)[i];
  map_.jacobian_transpose(p, block(2), block(0), block(3));
}

void NeumannIteration::measure(Index slot, double& residual, double& scale) {
  const double* lambda = column(0, slot);
  const double* r = column(1, slot);
  const double* image = column(3, slot);
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (Index i = 0; i < rows(); ++i) {
    const double difference = lambda[i] - image[i] - r[i];
    sum += difference * difference;
  }
  residual = sum;
  scale = squared_norm(rows(), r);
}

void NeumannIteration::finish(Index slot, Index target, bool) {
  std::copy_n(column(0, slot), rows(), lambda_ + target * rows());
}

}  // namespace poise
