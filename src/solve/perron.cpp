#include "poise/solve/perron.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {

PerronVector::PerronVector(const RowBlockMatrix& weights, double column_sum)
    : weights_(weights), gamma_(column_sum) {
  if (!exists()) return;
  entries_.assign(static_cast<std::size_t>(weights.local_rows()), 1.0 / static_cast<double>(weights.width()));
  image_.resize(entries_.size());
}

void PerronVector::update() {
  if (valid_) return;
  constexpr int most_products = 30;
  constexpr double enough = 1e-8;
  double change = 1.0;
  for (int k = 0; k < most_products && change > enough; ++k) {
    weights_.multiply(1, entries_.data(), image_.data());
    double norms[2] = {0.0, 0.0};  // of the difference, of the image
    for (std::size_t i = 0; i < image_.size(); ++i) {
      norms[0] += std::abs(image_[i] / gamma_ - entries_[i]);
      norms[1] += image_[i];
    }
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, norms, 2, MPI_DOUBLE, MPI_SUM, weights_.comm()));
    // Weights that are no numbers are found out by the residuals.
    if (!std::isfinite(norms[0]) || !(norms[1] > 0.0)) break;
    for (std::size_t i = 0; i < image_.size(); ++i) entries_[i] = image_[i] / norms[1];
    change = norms[0];
  }
  valid_ = true;
}

void PerronVector::correct(Index p, const double* slopes, bool transposed, const double* v, double* out) {
  update();
  const Index rows = weights_.local_rows();
  sums_.resize(std::max(sums_.size(), static_cast<std::size_t>(2 * p)));
  for (Index c = 0; c < p; ++c) {
    const double* column = v + c * rows;
    double sum = 0.0;
    double slope = 0.0;
    for (Index i = 0; i < rows; ++i) {
      sum += transposed ? entries_[i] * column[i] : column[i];
      slope += slopes == nullptr ? entries_[i] : entries_[i] * slopes[c * rows + i];
    }
    sums_[2 * c] = sum;
    sums_[2 * c + 1] = slope;
  }
  check_mpi(
      MPI_Allreduce(MPI_IN_PLACE, sums_.data(), mpi_count(2 * p), MPI_DOUBLE, MPI_SUM, weights_.comm()));
  for (Index c = 0; c < p; ++c) {
    const double step = factor(sums_[2 * c + 1]) * sums_[2 * c];
    for (Index i = 0; i < rows; ++i)
      out[c * rows + i] = v[c * rows + i] + (transposed ? step : step * entries_[i]);
  }
}

namespace {
constexpr std::size_t state = 0, injected = 1, image = 2;
}  // namespace

PerronIteration::PerronIteration(MPI_Comm comm, const EquilibriumMap& map, Index columns,
                                 PerronVector& perron, std::size_t depth)
    : ColumnIteration(comm, map.local_states(), columns, 3, depth, 2),
      map_(map),
      activation_(map.pointwise_form()->activation),
      perron_(perron),
      slopes_(static_cast<std::size_t>(rows())) {}

ColumnIteration::Result PerronIteration::run(Index p, const double* injection, double* z,
                                             const Limits& limits) {
  perron_.update();
  z_ = z;
  std::copy_n(z, rows() * p, block(state));
  std::copy_n(injection, rows() * p, block(injected));
  return iterate(p, limits);
}

void PerronIteration::product(Index p) {
  if (!first_product()) {
    const double* direction = perron_.entries();
    for (Index slot = 0; slot < p; ++slot) {
      const double step = perron_.factor(shared_sum(slot, mean_slope)) * shared_sum(slot, residual_sum);
      const double* h = column(image, slot);
      double* z = column(state, slot);
      double* next = depth() > 0 ? mapped(slot) : z;
      if (depth() > 0)
        for (Index i = 0; i < rows(); ++i) change(slot)[i] = h[i] + step * direction[i] - z[i];
      for (Index i = 0; i < rows(); ++i) next[i] = h[i] + step * direction[i];
    }
    if (depth() > 0) mix(p, state);
  }
  map_.apply(p, block(state), block(injected), block(image));
}

void PerronIteration::measure(Index slot, double& residual, double& scale) {
  const double* z = column(state, slot);
  const double* h = column(image, slot);
  const double* direction = perron_.entries();
  double* slopes = slopes_.data();
  activation_slope(activation_, rows(), h, slopes);
  double distance = 0.0, size = 0.0, total = 0.0, slope = 0.0;
#pragma omp simd reduction(+ : distance, size, total, slope)
  for (Index i = 0; i < rows(); ++i) {
    const double r = h[i] - z[i];
    distance += r * r;
    size += h[i] * h[i];
    total += r;
    slope += slopes[i] * direction[i];
  }
  residual = distance;
  scale = size;
  shared_sum(slot, residual_sum) = total;
  shared_sum(slot, mean_slope) = slope;
}

void PerronIteration::finish(Index slot, Index target, bool) {
  std::copy_n(column(state, slot), rows(), z_ + target * rows());
}

}  // namespace poise
