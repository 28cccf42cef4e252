#include "poise/solve/mean_field.hpp"

#include <petscblaslapack.h>

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/solve/outcome.hpp"

namespace poise {
inline namespace solve {

PerronVector::PerronVector(const RowBlockMatrix& weights, double column_sum)
    : weights_(weights), gamma_(column_sum) {
  if (exists()) forget();
}

void PerronVector::forget() {
  entries_.assign(static_cast<std::size_t>(weights_.local_rows()),
                  1.0 / static_cast<double>(weights_.width()));
  image_.resize(entries_.size());
  valid_ = false;
}

void PerronVector::update() {
  if (valid_) return;
  constexpr int most_products = 30;
  constexpr double enough = 1e-8;
  double change = 1.0;
  for (int k = 0; k < most_products && change > enough; ++k) {
    weights_.multiply(1, entries_.data(), image_.data());
    double norms[2] = {0.0, 0.0};  // 1-norms of the difference and of the image
    for (std::size_t i = 0; i < image_.size(); ++i) {
      norms[0] += std::abs(image_[i] / gamma_ - entries_[i]);
      norms[1] += image_[i];
    }
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, norms, 2, MPI_DOUBLE, MPI_SUM, weights_.comm()));
    // If weights are NaN, the residuals of the solve show it.
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

double estimated_norm(const RowBlockMatrix& weights) {
  std::vector<double> x(static_cast<std::size_t>(weights.local_columns()));
  std::vector<double> y(static_cast<std::size_t>(weights.local_rows()));
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = 1.0 + 0.5 * std::sin(static_cast<double>(weights.row_begin()) + static_cast<double>(i));
  double estimate = 0.0;
  double norm = 0.0;
  for (int k = 0; k < 8; ++k) {
    column_norms(weights.comm(), weights.local_columns(), 1, x.data(), &norm);
    if (!(norm > 0.0) || !std::isfinite(norm)) break;
    for (double& entry : x) entry /= norm;
    weights.multiply(1, x.data(), y.data());
    column_norms(weights.comm(), weights.local_rows(), 1, y.data(), &estimate);
    weights.multiply_transpose(1, y.data(), x.data());
  }
  return estimate;
}

MeanField::MeanField(const RowBlockMatrix& weights, double column_sum)
    : weights_(weights),
      k_(weights.comm(), weights.offsets(), weights.petsc_type()),
      perron_(weights, column_sum),
      slopes_(static_cast<std::size_t>(weights.local_rows())) {}

bool MeanField::affordable(const RowBlockMatrix& weights, Index samples) {
  int ranks = 1;
  check_mpi(MPI_Comm_size(weights.comm(), &ranks));
  const auto m = static_cast<double>(weights.width());
  const double factorisation = (2.0 / 3.0 + 2.0 / ranks) * m * m * m;
  const double product = 2.0 * m * m / ranks * static_cast<double>(samples);
  return factorisation <= 4.0 * product;
}

// W is stored row by row, so that to LAPACK the local rows of W are columns of Wᵀ. Kᵀ solves (I − WᵀD̄) Kᵀ =
// Wᵀ, and the local columns of Kᵀ are the local rows of K.
bool MeanField::factorise(const double* d) {
  static const LogEvent event("MeanField");
  const auto scope = event.begin();
  const Index m = weights_.width();
  const Index rows = weights_.local_rows();
  std::copy_n(d, rows, slopes_.begin());
  factors_.resize(static_cast<std::size_t>(m * m));
  pivots_.resize(static_cast<std::size_t>(m));
  all_slopes_.resize(static_cast<std::size_t>(m));
  std::vector<int> counts, displacements, lengths, starts;
  for (std::size_t g = 0; g + 1 < weights_.offsets().size(); ++g) {
    lengths.push_back(mpi_count(weights_.offsets()[g + 1] - weights_.offsets()[g]));
    starts.push_back(mpi_count(weights_.offsets()[g]));
    counts.push_back(mpi_count((weights_.offsets()[g + 1] - weights_.offsets()[g]) * m));
    displacements.push_back(mpi_count(weights_.offsets()[g] * m));
  }
  check_mpi(MPI_Allgatherv(d, mpi_count(rows), MPI_DOUBLE, all_slopes_.data(), lengths.data(), starts.data(),
                           MPI_DOUBLE, weights_.comm()));
  check_mpi(MPI_Allgatherv(weights_.rows(), mpi_count(rows * m), MPI_DOUBLE, factors_.data(), counts.data(),
                           displacements.data(), MPI_DOUBLE, weights_.comm()));
  for (Index j = 0; j < m; ++j) {
    double* column = factors_.data() + j * m;
    for (Index i = 0; i < m; ++i) column[i] *= -all_slopes_[j];
    column[j] += 1.0;
  }
  std::copy_n(weights_.rows(), rows * m, k_.rows());
  const auto size = static_cast<PetscBLASInt>(m);
  const auto right_hand_sides = static_cast<PetscBLASInt>(rows);
  PetscBLASInt info = 0;
  LAPACKgetrf_(&size, &size, factors_.data(), &size, pivots_.data(), &info);
  if (info == 0 && rows > 0)
    LAPACKgetrs_("N", &size, &right_hand_sides, factors_.data(), &size, pivots_.data(), k_.rows(), &size,
                 &info);
  if (info != 0) return false;
  if (single_allowed_) single_.assign(k_.rows(), k_.rows() + rows * m);
  weight_norm_ = estimated_norm(weights_);
  valid_ = true;
  return true;
}

void MeanField::update(const double* d) {
  if (!factorise(d)) throw failure("the mean-field matrix I - diag(slope) W is singular or not a number");
}

void MeanField::update_or_plain(const double* d) {
  if (!factorise(d)) update(std::vector<double>(slopes_.size(), 0.0).data());
}

void MeanField::allow_single() {
  single_allowed_ = weights_.offsets().size() <= 2;
}

// K is stored row by row, so that BLAS sees Kᵀ.
void MeanField::multiply_single(char transposed, Index p, const double* x, double* out) const {
  const Index m = weights_.width();
  const auto size = static_cast<std::size_t>(m * p);
  single_x_.assign(x, x + size);
  single_out_.resize(std::max(single_out_.size(), size));
  gemm(transposed, 'N', m, p, m, 1.0F, single_.data(), m, single_x_.data(), m, 0.0F, single_out_.data(), m);
  std::copy_n(single_out_.begin(), size, out);
  single_columns_ += p;
}

void MeanField::multiply(Index p, const double* x, double* out, bool single) const {
  if (single && single_allowed_) return multiply_single('T', p, x, out);
  k_.multiply(p, x, out);
}

void MeanField::multiply_transpose(Index p, const double* x, double* out, bool single) const {
  if (single && single_allowed_) return multiply_single('N', p, x, out);
  k_.multiply_transpose(p, x, out);
}

void MeanField::solve(Index p, const double* v, double* out) const {
  const Index rows = weights_.local_rows();
  k_.multiply(p, v, out);
  for (Index c = 0; c < p; ++c)
    for (Index i = 0; i < rows; ++i) out[c * rows + i] = v[c * rows + i] + slopes_[i] * out[c * rows + i];
}

void MeanField::solve_transpose(Index p, const double* v, double* out) const {
  const Index rows = weights_.local_rows();
  scaled_.resize(std::max(scaled_.size(), static_cast<std::size_t>(rows * p)));
  for (Index c = 0; c < p; ++c)
    for (Index i = 0; i < rows; ++i) scaled_[c * rows + i] = slopes_[i] * v[c * rows + i];
  k_.multiply_transpose(p, scaled_.data(), out);
  for (Index i = 0; i < rows * p; ++i) out[i] += v[i];
}

}  // namespace solve
}  // namespace poise
