#include "poise/objective/triangular_factor.hpp"

#include <fmt/format.h>

#include <petscsys.h>
#include <petscblaslapack.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/mpi_count.hpp"

// LAPACK's QR of a triangle on top of more rows, which PETSc does not declare.
extern "C" void dtpqrt_(const PetscBLASInt* m, const PetscBLASInt* n, const PetscBLASInt* l,
                        const PetscBLASInt* nb, double* a, const PetscBLASInt* lda, double* b,
                        const PetscBLASInt* ldb, double* t, const PetscBLASInt* ldt, double* work,
                        PetscBLASInt* info);

namespace poise {
inline namespace objective {
namespace {

constexpr int triangle_tag = 8;

/// Samples per panel: so many that the triangle on top of them costs little.
Index panel_rows(Index width) {
  return std::clamp<Index>(4 * width, 64, 2048);
}

/// An upper triangle, column-major, to which blocks of rows are added one after the other.
class Triangle {
 public:
  explicit Triangle(Index width)
      : width_(width), block_(std::min<Index>(width, 32)), values_(static_cast<std::size_t>(width * width)) {
    reflectors_.resize(static_cast<std::size_t>(block_ * width));
    work_.resize(reflectors_.size());
  }
  [[nodiscard]] double* data() { return values_.data(); }
  [[nodiscard]] double at(Index i, Index j) const {
    return values_[static_cast<std::size_t>(j * width_ + i)];
  }

  /// Adds the rows `b` (column-major, `rows` x width) and overwrites them. `triangular`: they are an upper
  /// triangle.
  void add(Index rows, double* b, bool triangular) {
    if (rows == 0) return;
    const auto m = static_cast<PetscBLASInt>(rows), n = static_cast<PetscBLASInt>(width_),
               l = static_cast<PetscBLASInt>(triangular ? rows : 0), nb = static_cast<PetscBLASInt>(block_);
    PetscBLASInt info = 0;
    dtpqrt_(&m, &n, &l, &nb, values_.data(), &n, b, &m, reflectors_.data(), &nb, work_.data(), &info);
    if (info != 0) throw failure(fmt::format("QR of the features: LAPACK tpqrt returned {}", info));
  }
  /// Householder's signs are arbitrary; with a diagonal >= 0 a triangle of full rank is the same on any grid.
  void make_diagonal_positive() {
    for (Index i = 0; i < width_; ++i)
      if (at(i, i) < 0.0)
        for (Index j = i; j < width_; ++j) values_[static_cast<std::size_t>(j * width_ + i)] *= -1.0;
  }

 private:
  Index width_, block_;
  std::vector<double> values_, reflectors_, work_;
};

/// The rows [√ω_i (φ_iᵀ y_iᵀ)] of this rank's samples: the ranks of grid.feature() share them, panel by
/// panel.
class SampleRows {
 public:
  SampleRows(const ParameterLayout& layout, const SampleSet& samples, Index outputs,
             const std::vector<double>& weights)
      : layout_(layout), samples_(samples), outputs_(outputs), weights_(weights) {}

  /// Collective on grid.feature().
  void add_to(Triangle& triangle) {
    const Index panel = panel_rows(layout_.width() + outputs_);
    const int ranks = layout_.grid().feature_ranks();
    for (Index first = 0, number = 0; first < samples_.count; first += panel, ++number) {
      const Index rows = std::min(panel, samples_.count - first);
      if (!gather(first, rows, static_cast<int>(number % ranks))) continue;
      arrange(first, rows);
      triangle.add(rows, rows_.data(), false);
    }
  }

 private:
  /// Gathers the panel's features on rank `root` of grid.feature(), block after block. Returns whether this
  /// rank is `root`.
  bool gather(Index first, Index rows, int root) {
    const ProcessGrid& grid = layout_.grid();
    const double* own = samples_.features.data() + first * layout_.block().size();
    if (grid.feature_ranks() == 1) {
      gathered_ = own;
      return true;
    }
    std::vector<int> counts, places;
    const auto& offsets = layout_.block_offsets();
    for (std::size_t f = 0; f + 1 < offsets.size(); ++f) {
      counts.push_back(mpi_count((offsets[f + 1] - offsets[f]) * rows));
      places.push_back(mpi_count(offsets[f] * rows));
    }
    const bool here = grid.feature_index() == root;
    if (here) buffer_.resize(static_cast<std::size_t>(layout_.width() * rows));
    check_mpi(MPI_Gatherv(own, counts[static_cast<std::size_t>(grid.feature_index())], MPI_DOUBLE,
                          buffer_.data(), counts.data(), places.data(), MPI_DOUBLE, root, grid.feature()));
    gathered_ = buffer_.data();
    return here;
  }

  /// rows_ (rows x (m + q), column-major) from the blocks of features, one column per sample, and the
  /// targets.
  void arrange(Index first, Index rows) {
    const Index m = layout_.width();
    rows_.resize(static_cast<std::size_t>(rows * (m + outputs_)));
    const auto& offsets = layout_.block_offsets();
    for (std::size_t f = 0; f + 1 < offsets.size(); ++f)
      transpose(offsets[f + 1] - offsets[f], rows, gathered_ + offsets[f] * rows,
                rows_.data() + offsets[f] * rows);
    transpose(outputs_, rows, samples_.targets.data() + first * outputs_, rows_.data() + m * rows);
    if (weights_.empty()) return;
    for (Index i = 0; i < rows; ++i) {
      const double root = std::sqrt(weights_[static_cast<std::size_t>(first + i)]);
      for (Index j = 0; j < m + outputs_; ++j) rows_[static_cast<std::size_t>(j * rows + i)] *= root;
    }
  }

  const ParameterLayout& layout_;
  const SampleSet& samples_;
  Index outputs_;
  const std::vector<double>& weights_;
  const double* gathered_ = nullptr;
  std::vector<double> buffer_, rows_;
};

/// Collective. The triangle of rank 0 becomes the triangle of the rows of all ranks; the triangles of the
/// other ranks are overwritten.
void reduce(MPI_Comm comm, Index width, Triangle& triangle) {
  int rank = 0, size = 1;
  check_mpi(MPI_Comm_rank(comm, &rank));
  check_mpi(MPI_Comm_size(comm, &size));
  const int count = mpi_count(width * width);
  std::vector<double> other;
  for (int step = 1; step < size; step *= 2) {
    if (rank % (2 * step) != 0) {
      check_mpi(MPI_Send(triangle.data(), count, MPI_DOUBLE, rank - step, triangle_tag, comm));
      return;
    }
    if (rank + step >= size) continue;
    other.resize(static_cast<std::size_t>(width * width));
    check_mpi(MPI_Recv(other.data(), count, MPI_DOUBLE, rank + step, triangle_tag, comm, MPI_STATUS_IGNORE));
    triangle.add(width, other.data(), true);
  }
}

/// Distributes the columns [first, first + columns) of rank 0's triangle by rows: every rank gets its slice
/// of the first m rows.
void scatter_rows(const ParameterLayout& layout, const Triangle& triangle, Index first, Index columns,
                  double* slice) {
  const auto& offsets = layout.slice_offsets();
  std::vector<double> all;
  std::vector<int> counts, places;
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    counts.push_back(mpi_count((offsets[r + 1] - offsets[r]) * columns));
    places.push_back(mpi_count(offsets[r] * columns));
  }
  if (layout.grid().rank() == 0)
    for (Index i = 0; i < layout.width(); ++i)
      for (Index j = first; j < first + columns; ++j) all.push_back(i <= j ? triangle.at(i, j) : 0.0);
  check_mpi(MPI_Scatterv(all.data(), counts.data(), places.data(), MPI_DOUBLE, slice,
                         counts[static_cast<std::size_t>(layout.grid().rank())], MPI_DOUBLE, 0,
                         layout.grid().world()));
}

TriangularFactor factorise(const ParameterLayout& layout, const SampleSet& samples, Index outputs,
                           const std::vector<double>& weights) {
  static const LogEvent event("FeatureQR");
  const auto scope = event.begin();
  const MPI_Comm world = layout.grid().world();
  const Index m = layout.width();
  Triangle triangle(m + outputs);
  SampleRows(layout, samples, outputs, weights).add_to(triangle);
  reduce(world, m + outputs, triangle);
  triangle.make_diagonal_positive();

  TriangularFactor factor{RowBlockMatrix(world, layout.slice_offsets(), layout.matrix_type()), {}, 0.0, 0.0};
  scatter_rows(layout, triangle, 0, m, factor.r.rows());
  std::vector<double> rows(static_cast<std::size_t>(layout.slice().size() * outputs));
  scatter_rows(layout, triangle, m, outputs, rows.data());
  factor.targets.resize(rows.size());
  transpose(outputs, layout.slice().size(), rows.data(), factor.targets.data());

  double norms[3] = {0.0, 0.0, 0.0};  // ‖R₂‖², ‖T‖² and ‖R‖²; NaN or Inf if the samples hold NaN or Inf
  if (layout.grid().rank() == 0)
    for (Index j = 0; j < m + outputs; ++j)
      for (Index i = 0; i <= j; ++i) {
        const double square = triangle.at(i, j) * triangle.at(i, j);
        norms[2] += square;
        if (j >= m) norms[i >= m ? 0 : 1] += square;
      }
  check_mpi(MPI_Bcast(norms, 3, MPI_DOUBLE, 0, world));
  if (!std::isfinite(norms[2]))
    throw Error(ExitCode::failed,
                "the features or the targets are so large that their squares are not finite, or hold NaN; "
                "bring them to usual sizes (-features whiten, -scale_targets true)",
                true);
  factor.rest_norm2 = norms[0];
  factor.targets_norm2 = norms[0] + norms[1];
  return factor;
}

}  // namespace

TriangularFactor triangular_factor(const ParameterLayout& layout, const SampleSet& samples) {
  return factorise(layout, samples, layout.outputs(), samples.weights);
}

RowBlockMatrix feature_factor(const ParameterLayout& layout, const SampleSet& samples,
                              const std::vector<double>* weights) {
  return factorise(layout, samples, 0, weights == nullptr ? samples.weights : *weights).r;
}

}  // namespace objective
}  // namespace poise
