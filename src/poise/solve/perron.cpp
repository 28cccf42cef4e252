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

}  // namespace poise
