#include "poise/theory/gram_spectrum.hpp"

#include <algorithm>
#include <cmath>
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

GramSpectrum::GramSpectrum(const RowBlockMatrix& gram, double relative_cut)
    : vectors_(gram.comm(), row_slices(gram)) {
  decompose(gram);
  if (relative_cut <= 0.0) relative_cut = 16.0 * static_cast<double>(gram.width()) * epsilon;
  rank_ = std::count_if(values_.begin(), values_.end(),
                        [&](double value) { return value > relative_cut * largest(); });
}

double GramSpectrum::rounding() const {
  return 8.0 * static_cast<double>(vectors_.width()) * epsilon * largest();
}

void GramSpectrum::decompose(const RowBlockMatrix& gram) {
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
  values_.resize(static_cast<std::size_t>(m));
  for (PetscInt r = 0; r < m; ++r) {
    double& value = values_[static_cast<std::size_t>(r)];
    check(EPSGetEigenpair(eps.get(), r, &value, nullptr, vector.get(), nullptr));
    const ReadArray entries(own_rows(vector.get()));
    for (Index i = 0; i < gram.local_rows(); ++i)
      vectors_.rows()[i * gram.width() + r] = entries[static_cast<std::size_t>(i)];
  }
}

void GramSpectrum::apply_pseudo_inverse(Index columns, double* x) const {
  const Index rows = vectors_.local_rows();
  coordinates_.resize(static_cast<std::size_t>(rows * columns));
  vectors_.multiply_transpose(columns, x, coordinates_.data());
  for (Index c = 0; c < columns; ++c) {
    for (Index i = 0; i < rows; ++i) {
      const Index r = vectors_.row_begin() + i;
      double& value = coordinates_[static_cast<std::size_t>(c * rows + i)];
      value = r < rank_ ? value / values_[static_cast<std::size_t>(r)] : 0.0;
    }
  }
  vectors_.multiply(columns, coordinates_.data(), x);
}

}  // namespace poise
