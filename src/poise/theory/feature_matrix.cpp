#include "poise/theory/feature_matrix.hpp"

#include <fmt/format.h>
#include <slepcsvd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/base/output.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/objective/triangular_factor.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/theory/rank_reductions.hpp"

namespace poise {
inline namespace theory {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

#ifdef SLEPC_HAVE_SCALAPACK
constexpr bool has_scalapack = true;
void create_scalapack(MPI_Comm comm, PetscInt size, Mat* matrix) {
  check(MatCreateScaLAPACK(comm, PETSC_DECIDE, PETSC_DECIDE, size, size, 0, 0, matrix));
}
const char* const distributed_type = SVDSCALAPACK;
#else
constexpr bool has_scalapack = false;
void create_scalapack(MPI_Comm /*comm*/, PetscInt /*size*/, Mat* /*matrix*/) {}
const char* const distributed_type = SVDLAPACK;
#endif

/// Whether ScaLAPACK decomposes a matrix of this width.
bool decomposes_distributed(MPI_Comm comm, Index width) {
  if (width <= FeatureSvd::distributed_width) return false;
  if (!has_scalapack)
    warn(comm,
         fmt::format(
             "the features have width {0}, and this SLEPc has no ScaLAPACK: every rank decomposes the {0} x "
             "{0} matrix by LAPACK, with {1:.1f} GB and all of the work. To share the work, build PETSc "
             "with ScaLAPACK.",
             width, 24e-9 * static_cast<double>(width) * static_cast<double>(width)));
  return has_scalapack;
}

/// A dense copy, or a copy in ScaLAPACK's layout. ScaLAPACK needs the same number of rows on every rank, so
/// that the copy is padded with zeros, whose singular values come last.
MatHandle copy_of(const RowBlockMatrix& source, bool distributed) {
  const MPI_Comm comm = source.comm();
  int ranks = 1;
  check_mpi(MPI_Comm_size(comm, &ranks));
  const auto m = static_cast<PetscInt>(source.width());
  const auto own = static_cast<PetscInt>(source.local_rows());
  const PetscInt padded = (m + ranks - 1) / ranks * ranks;
  MatHandle copy;
  if (distributed)
    create_scalapack(comm, padded, copy.out());
  else
    check(MatCreateDense(comm, own, own, m, m, nullptr, copy.out()));
  std::vector<PetscInt> columns(static_cast<std::size_t>(m));
  std::iota(columns.begin(), columns.end(), 0);
  for (PetscInt i = 0; i < own; ++i) {
    const auto row = static_cast<PetscInt>(source.row_begin()) + i;
    check(MatSetValues(copy.get(), 1, &row, m, columns.data(), source.rows() + i * m, INSERT_VALUES));
  }
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
  /// Collective. Writes these entries into column r of `rows`.
  void operator()(Vec from, Index r, RowBlockMatrix& rows) const {
    check(VecScatterBegin(scatter_.get(), from, own_.get(), INSERT_VALUES, SCATTER_FORWARD));
    check(VecScatterEnd(scatter_.get(), from, own_.get(), INSERT_VALUES, SCATTER_FORWARD));
    const ReadArray entries(own_.get());
    for (Index i = 0; i < rows.local_rows(); ++i)
      rows.rows()[i * rows.width() + r] = entries[static_cast<std::size_t>(i)];
  }

 private:
  VecHandle own_;
  Handle<VecScatter, VecScatterDestroy> scatter_;
};

void require_numbers(const RowBlockMatrix& triangle) {
  std::vector<double> largest{0.0};  // the largest absolute value, because squares may overflow
  bool finite = true;
  for (Index e = 0; e < triangle.local_rows() * triangle.width(); ++e) {
    const double entry = std::abs(triangle.rows()[e]);
    finite = finite && std::isfinite(entry);
    largest[0] = std::max(largest[0], entry);
  }
  if (!finite) largest[0] = std::numeric_limits<double>::infinity();
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, largest.data(), 1, MPI_DOUBLE, MPI_MAX, triangle.comm()));
  if (!std::isfinite(largest[0])) throw Error(ExitCode::failed, "the features hold NaN or Inf", true);
  if (largest[0] == 0.0)
    throw Error(ExitCode::bad_input, "the features are all zero: there is nothing to fit", true);
}

}  // namespace

FeatureSvd::FeatureSvd(const RowBlockMatrix& triangle, double relative_cut)
    : left_(triangle.comm(), row_slices(triangle), triangle.petsc_type()),
      right_(triangle.comm(), row_slices(triangle), triangle.petsc_type()) {
  require_numbers(triangle);
  decompose(triangle);
  cut_ = relative_cut > 0.0 ? relative_cut * largest() : rounding();
  rank_ = std::count_if(values_.begin(), values_.end(), [&](double value) { return value > cut_; });
}

double FeatureSvd::rounding() const {
  return 8.0 * static_cast<double>(right_.width()) * epsilon * largest();
}

double FeatureSvd::safe_square(double sigma) const {
  const double safe = std::max(0.0, sigma - rounding());
  return safe * safe;
}

void FeatureSvd::decompose(const RowBlockMatrix& triangle) {
  static const LogEvent event("FeatureSVD");
  const auto scope = event.begin();
  const auto m = static_cast<PetscInt>(triangle.width());
  const bool distributed = decomposes_distributed(triangle.comm(), triangle.width());
  const MatHandle matrix = copy_of(triangle, distributed);
  Handle<SVD, SVDDestroy> svd;
  check(SVDCreate(triangle.comm(), svd.out()));
  check(SVDSetOperators(svd.get(), matrix.get(), nullptr));
  check(SVDSetDimensions(svd.get(), m, petsc_chosen, petsc_chosen));
  check(SVDSetType(svd.get(), distributed ? distributed_type : SVDLAPACK));
  check(SVDSolve(svd.get()));
  PetscInt triplets = 0;
  check(SVDGetConverged(svd.get(), &triplets));
  if (triplets < m)
    throw Error(
        ExitCode::failed,
        fmt::format("the singular value decomposition of the features gave {} of {} triplets", triplets, m),
        true);
  VecHandle u, v;
  check(MatCreateVecs(matrix.get(), v.out(), u.out()));
  const RowScatter own_rows(v.get(), triangle);
  values_.resize(static_cast<std::size_t>(m));
  for (PetscInt r = 0; r < m; ++r) {
    check(SVDGetSingularTriplet(svd.get(), r, &values_[static_cast<std::size_t>(r)], u.get(), v.get()));
    own_rows(u.get(), r, left_);
    own_rows(v.get(), r, right_);
  }
}

template <class Factor>
void FeatureSvd::take_coordinates(const RowBlockMatrix& vectors, Index columns, const double* x,
                                  Factor factor) const {
  const Index rows = vectors.local_rows();
  coordinates_.resize(static_cast<std::size_t>(rows * columns));
  vectors.multiply_transpose(columns, x, coordinates_.data());
  for (Index c = 0; c < columns; ++c)
    for (Index i = 0; i < rows; ++i) {
      const Index r = vectors.row_begin() + i;
      coordinates_[static_cast<std::size_t>(c * rows + i)] *=
          factor(values_[static_cast<std::size_t>(r)], r < rank_);
    }
}

void FeatureSvd::apply_gram_inverse(Index columns, double* x) const {
  take_coordinates(right_, columns, x,
                   [](double value, bool counts) { return counts ? 1.0 / value / value : 0.0; });
  right_.multiply(columns, coordinates_.data(), x);
}

void FeatureSvd::apply_pseudo_inverse(Index columns, double* x) const {
  take_coordinates(left_, columns, x, [](double value, bool counts) { return counts ? 1.0 / value : 0.0; });
  right_.multiply(columns, coordinates_.data(), x);
}

void FeatureSvd::remove_span(const RowBlockMatrix& vectors, Index columns, double* x) const {
  take_coordinates(vectors, columns, x, [](double, bool counts) { return counts ? 1.0 : 0.0; });
  std::vector<double> inside(coordinates_.size());
  vectors.multiply(columns, coordinates_.data(), inside.data());
  for (std::size_t e = 0; e < inside.size(); ++e) x[e] -= inside[e];
}

void FeatureSvd::remove_seen_part(Index columns, double* x) const {
  remove_span(right_, columns, x);
}

double FeatureSvd::unreachable_norm2(Index columns, const double* x) const {
  if (rank_ == left_.width()) return 0.0;
  std::vector<double> rest(x, x + left_.local_rows() * columns);
  remove_span(left_, columns, rest.data());
  std::vector<double> sum{std::inner_product(rest.begin(), rest.end(), rest.begin(), 0.0)};
  sum_over_ranks(left_.comm(), sum);
  return sum[0];
}

FeatureSpectrum feature_spectrum(const ProcessGrid& grid, Index width, const SampleSet& samples) {
  // Features are split over the ranks as the rows of any matrix of their number are.
  const ParameterLayout layout(grid, width, 1);
  const FeatureSvd svd(feature_factor(layout, samples));
  return {.largest = svd.largest(),
          .smallest = svd.smallest(),
          .cut = svd.cut(),
          .rank = svd.rank(),
          .width = width};
}

FeatureNorms feature_norms(const ParameterLayout& layout, const SampleSet& samples) {
  const ProcessGrid& grid = layout.grid();
  const Index rows = layout.block().size();
  const Index n = samples.count;
  std::vector<double> sums(static_cast<std::size_t>(2 * n));
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < rows; ++k) {
      const double entry = samples.features[i * rows + k];
      sums[i] += std::abs(entry);
      sums[n + i] += entry * entry;
    }
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums.data(), mpi_count(2 * n), MPI_DOUBLE, MPI_SUM, grid.feature()));
  FeatureNorms norms{{sums.begin(), sums.begin() + n}, {sums.begin() + n, sums.end()}};
  for (double& value : norms.two) value = std::sqrt(value);
  norms.largest_one = largest_over_ranks(grid.world(), norms.one);
  norms.largest_two = largest_over_ranks(grid.world(), norms.two);
  return norms;
}

}  // namespace theory
}  // namespace poise
