#include "poise/theory/least_squares_reference.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/theory/row_slices.hpp"

#ifndef SLEPC_HAVE_SCALAPACK
#error "Poise needs SLEPc built with ScaLAPACK (configure PETSc --download-scalapack or --with-scalapack)"
#endif

namespace poise {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
/// One step against C itself removes the rounding of the decomposition; what C and E carry remains.
constexpr int refinement_steps = 1;

double dot(const std::vector<double>& x, const double* y) {
  return std::inner_product(x.begin(), x.end(), y, 0.0);
}

/// A copy in ScaLAPACK's own layout, which wants the same number of rows on every rank: the matrix is padded
/// with `pad` on the diagonal to the next multiple of the ranks.
MatHandle scalapack_copy(const RowBlockMatrix& source, double pad) {
  int ranks = 1;
  check_mpi(MPI_Comm_size(source.comm(), &ranks));
  const auto m = static_cast<PetscInt>(source.width());
  const PetscInt rows = (m + ranks - 1) / ranks;
  MatHandle copy;
  check(MatCreateScaLAPACK(source.comm(), PETSC_DECIDE, PETSC_DECIDE, rows * ranks, rows * ranks, 0, 0,
                           copy.out()));
  std::vector<PetscInt> columns(static_cast<std::size_t>(m));
  std::iota(columns.begin(), columns.end(), 0);
  for (Index i = 0; i < source.local_rows(); ++i) {
    const auto row = static_cast<PetscInt>(source.row_begin() + i);
    check(MatSetValues(copy.get(), 1, &row, m, columns.data(), source.rows() + i * source.width(),
                       INSERT_VALUES));
  }
  if (source.row_begin() == 0 && source.local_rows() > 0)
    for (PetscInt i = m; i < rows * ranks; ++i) check(MatSetValue(copy.get(), i, i, pad, INSERT_VALUES));
  check(MatAssemblyBegin(copy.get(), MAT_FINAL_ASSEMBLY));
  check(MatAssemblyEnd(copy.get(), MAT_FINAL_ASSEMBLY));
  return copy;
}

/// The entries of the padded `from` that are this rank's rows.
class RowScatter {
 public:
  RowScatter(Vec from, const RowBlockMatrix& rows) : own_(create_vec(rows.comm(), rows.local_rows())) {
    Handle<IS, ISDestroy> wanted;
    check(ISCreateStride(rows.comm(), static_cast<PetscInt>(rows.local_rows()),
                         static_cast<PetscInt>(rows.row_begin()), 1, wanted.out()));
    check(VecScatterCreate(from, wanted.get(), own_.get(), nullptr, scatter_.out()));
  }
  /// Collective.
  [[nodiscard]] Vec operator()(Vec from) const {
    check(VecScatterBegin(scatter_.get(), from, own_.get(), INSERT_VALUES, SCATTER_FORWARD));
    check(VecScatterEnd(scatter_.get(), from, own_.get(), INSERT_VALUES, SCATTER_FORWARD));
    return own_.get();
  }

 private:
  VecHandle own_;
  Handle<VecScatter, VecScatterDestroy> scatter_;
};

}  // namespace

LeastSquaresReference::LeastSquaresReference(const RowBlockMatrix& gram, const double* cross, Index outputs,
                                             double target_norm2, double loss_scale, double relative_cut)
    : outputs_(outputs), loss_scale_(loss_scale), eigenvectors_(gram.comm(), row_slices(gram)) {
  decompose(gram);
  if (relative_cut <= 0.0) relative_cut = 16.0 * static_cast<double>(gram.width()) * epsilon;
  rank_ = std::count_if(eigenvalues_.begin(), eigenvalues_.end(),
                        [&](double value) { return value > relative_cut * largest(); });
  difference_.resize(static_cast<std::size_t>(gram.local_rows() * outputs));
  coordinates_.resize(difference_.size());
  find_optimum(gram, cross, target_norm2);
}

void LeastSquaresReference::decompose(const RowBlockMatrix& gram) {
  static const LogEvent event("GramEigen");
  const auto scope = event.begin();
  std::vector<double> norm2{
      std::inner_product(gram.rows(), gram.rows() + gram.local_rows() * gram.width(), gram.rows(), 0.0)};
  sum_over_ranks(gram.comm(), norm2);
  if (!std::isfinite(norm2[0]))
    throw Error(ExitCode::failed, "the Gram matrix of the features holds NaN or Inf", true);

  if (norm2[0] == 0.0)
    throw Error(ExitCode::bad_input, "the features are all zero: there is nothing to fit", true);

  // C has no negative eigenvalue, so padding far below zero comes last.
  const MatHandle matrix = scalapack_copy(gram, -std::sqrt(norm2[0]));
  const auto m = static_cast<PetscInt>(gram.width());
  EpsHandle eps;
  check(EPSCreate(gram.comm(), eps.out()));
  check(EPSSetOperators(eps.get(), matrix.get(), nullptr));
  check(EPSSetProblemType(eps.get(), EPS_HEP));
  check(EPSSetWhichEigenpairs(eps.get(), EPS_LARGEST_REAL));
  check(EPSSetDimensions(eps.get(), m, PETSC_DEFAULT, PETSC_DEFAULT));
  check(EPSSetType(eps.get(), EPSSCALAPACK));
  check(EPSSolve(eps.get()));
  PetscInt pairs = 0;
  check(EPSGetConverged(eps.get(), &pairs));
  if (pairs < m)
    throw Error(ExitCode::failed,
                "the eigen-decomposition of the features' Gram matrix gave " + std::to_string(pairs) +
                    " of " + std::to_string(m) + " pairs",
                true);
  VecHandle vector;
  check(MatCreateVecs(matrix.get(), vector.out(), nullptr));
  const RowScatter own_rows(vector.get(), gram);
  eigenvalues_.resize(static_cast<std::size_t>(m));
  for (PetscInt r = 0; r < m; ++r) {
    double& value = eigenvalues_[static_cast<std::size_t>(r)];
    check(EPSGetEigenpair(eps.get(), r, &value, nullptr, vector.get(), nullptr));
    const ReadArray entries(own_rows(vector.get()));
    for (Index i = 0; i < gram.local_rows(); ++i)
      eigenvectors_.rows()[i * gram.width() + r] = entries[static_cast<std::size_t>(i)];
  }
}

void LeastSquaresReference::apply_pseudo_inverse(double* x) {
  eigenvectors_.multiply_transpose(outputs_, x, coordinates_.data());
  const Index rows = eigenvectors_.local_rows();
  for (Index c = 0; c < outputs_; ++c) {
    for (Index i = 0; i < rows; ++i) {
      const Index r = eigenvectors_.row_begin() + i;
      double& value = coordinates_[static_cast<std::size_t>(c * rows + i)];
      value = r < rank_ ? value / eigenvalues_[static_cast<std::size_t>(r)] : 0.0;
    }
  }
  eigenvectors_.multiply(outputs_, coordinates_.data(), x);
}

void LeastSquaresReference::find_optimum(const RowBlockMatrix& gram, const double* cross,
                                         double target_norm2) {
  optimum_.assign(cross, cross + difference_.size());
  apply_pseudo_inverse(optimum_.data());
  std::vector<double> image(optimum_.size());  // C W*ᵀ
  for (int step = 0; step < refinement_steps; ++step) {
    gram.multiply(outputs_, optimum_.data(), image.data());
    std::transform(cross, cross + image.size(), image.begin(), difference_.begin(), std::minus<>());
    apply_pseudo_inverse(difference_.data());
    std::transform(optimum_.begin(), optimum_.end(), difference_.begin(), optimum_.begin(), std::plus<>());
  }
  gram.multiply(outputs_, optimum_.data(), image.data());
  std::vector<double> sums{dot(optimum_, cross), dot(optimum_, image.data()), dot(optimum_, optimum_.data()),
                           std::inner_product(cross, cross + image.size(), cross, 0.0)};
  sum_over_ranks(gram.comm(), sums);
  const auto [fit, curvature, norm2, cross_norm2] = std::array{sums[0], sums[1], sums[2], sums[3]};
  optimal_loss_ = loss_scale_ * std::max(0.0, target_norm2 - 2.0 * fit + curvature);
  // Sums of m products lose √m ε at random; the three terms are at most 2‖Y‖² each.
  const double lost = 8.0 * epsilon * std::sqrt(static_cast<double>(gram.width()));
  optimal_loss_rounding_ = loss_scale_ * lost * target_norm2;
  optimum_norm2_ = norm2;
  own_rounding_ = 64.0 * epsilon * epsilon * cross_norm2 / smallest();
}

void LeastSquaresReference::keep_unseen_part(double* w) const {
  eigenvectors_.multiply_transpose(outputs_, w, coordinates_.data());
  const Index rows = eigenvectors_.local_rows();
  for (Index c = 0; c < outputs_; ++c)
    for (Index i = 0; i < rows && eigenvectors_.row_begin() + i < rank_; ++i)
      coordinates_[static_cast<std::size_t>(c * rows + i)] = 0.0;
  eigenvectors_.multiply(outputs_, coordinates_.data(), w);
}

LeastSquaresReference::Distance LeastSquaresReference::distance(const double* w) const {
  std::transform(optimum_.begin(), optimum_.end(), w, difference_.begin(), std::minus<>());
  eigenvectors_.multiply_transpose(outputs_, difference_.data(), coordinates_.data());
  const Index rows = eigenvectors_.local_rows();
  std::vector<double> sums(2);
  for (Index i = 0; i < rows && eigenvectors_.row_begin() + i < rank_; ++i) {
    const double value = eigenvalues_[static_cast<std::size_t>(eigenvectors_.row_begin() + i)];
    double square = 0.0;
    for (Index c = 0; c < outputs_; ++c) {
      const double coordinate = coordinates_[static_cast<std::size_t>(c * rows + i)];
      square += coordinate * coordinate;
    }
    sums[0] += value * square;
    sums[1] += value * value * square;
  }
  sum_over_ranks(eigenvectors_.comm(), sums);
  return {loss_scale_ * sums[0], 4.0 * loss_scale_ * loss_scale_ * sums[1]};
}

}  // namespace poise
