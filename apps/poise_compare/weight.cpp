#include "poise_compare/weight.hpp"

#include <fmt/format.h>
#include <petscsys.h>
#include <petscblaslapack.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/linalg/blas.hpp"

namespace poise::compare {
namespace {

/// A block of the parameters, column-major: m x its columns.
std::vector<double> block_of(const ParameterLayout& layout, const ParameterBlock& block,
                             const std::vector<double>& rows) {
  std::vector<double> matrix(static_cast<std::size_t>(layout.width() * block.columns));
  for (Index i = 0; i < layout.width(); ++i)
    for (Index j = 0; j < block.columns; ++j)
      matrix[static_cast<std::size_t>(j * layout.width() + i)] =
          rows[static_cast<std::size_t>(i * layout.row_length() + block.offset + j)];
  return matrix;
}

/// Column by column, THEORY.md 1.
void softmax_columns(Index m, std::vector<double>& matrix) {
  for (Index j = 0; j < m; ++j) {
    double* column = matrix.data() + j * m;
    const double largest = *std::max_element(column, column + m);
    double sum = 0.0;
    for (Index i = 0; i < m; ++i) sum += column[i] = std::exp(column[i] - largest);
    for (Index i = 0; i < m; ++i) column[i] /= sum;
  }
}

/// q x d = left (q x m) times right (m x d).
std::vector<double> product(Index q, Index m, Index d, double scale, const std::vector<double>& left,
                            const std::vector<double>& right) {
  std::vector<double> out(static_cast<std::size_t>(q * d));
  gemm('N', 'N', q, d, m, scale, left.data(), q, right.data(), m, 0.0, out.data(), q);
  return out;
}

constexpr double none = std::numeric_limits<double>::quiet_NaN();

double ratio(double a, double b) {
  return b > 0.0 ? a / b : none;
}

void require_success(PetscBLASInt info, const char* routine, const char* what) {
  if (info != 0) throw failure(fmt::format("{}: LAPACK {} returned {}", what, routine, info));
}

double norm_1(Index rows, const std::vector<double>& a) {
  double largest = 0.0;
  for (auto column = a.begin(); column != a.end(); column += rows)
    largest = std::max(largest, std::accumulate(column, column + rows, 0.0,
                                                [](double sum, double x) { return sum + std::abs(x); }));
  return largest;
}

std::vector<double> difference(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> d(a.size());
  std::transform(a.begin(), a.end(), b.begin(), d.begin(), std::minus<>());
  return d;
}

}  // namespace

std::vector<double> gather_rows(const ParameterLayout& layout, const double* slice, Index columns) {
  const std::vector<Index>& offsets = layout.slice_offsets();
  std::vector<int> counts, places;
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    counts.push_back(mpi_count((offsets[r + 1] - offsets[r]) * columns));
    places.push_back(mpi_count(offsets[r] * columns));
  }
  std::vector<double> all(static_cast<std::size_t>(layout.width() * columns));
  check_mpi(MPI_Allgatherv(slice, counts[static_cast<std::size_t>(layout.grid().rank())], MPI_DOUBLE,
                           all.data(), counts.data(), places.data(), MPI_DOUBLE, layout.grid().world()));
  return all;
}

std::vector<double> gather_parameters(const ParameterLayout& layout, Vec theta) {
  const ReadArray values(theta);
  return gather_rows(layout, values.data(), layout.row_length());
}

std::vector<double> readout_of(const ParameterLayout& layout, const std::vector<double>& rows) {
  const Index q = layout.outputs();
  std::vector<double> readout(static_cast<std::size_t>(q * layout.width()));
  for (Index i = 0; i < layout.width(); ++i)
    std::copy_n(rows.begin() + i * layout.row_length() + layout.readout_offset(), q, readout.begin() + i * q);
  return readout;
}

std::vector<double> unrolled_weight(const ParameterLayout& layout, const std::vector<double>& rows,
                                    double gamma, Index depth) {
  const Index m = layout.width();
  std::vector<double> s = block_of(layout, layout.block_of("A"), rows);
  softmax_columns(m, s);
  std::vector<double> term = readout_of(layout, rows);
  std::vector<double> sum = term;
  for (Index l = 1; l < depth; ++l) {
    term = product(layout.outputs(), m, m, gamma, term, s);
    std::transform(sum.begin(), sum.end(), term.begin(), sum.begin(), std::plus<>());
  }
  return sum;
}

std::vector<double> feedforward_weight(const ParameterLayout& layout, const std::vector<double>& rows,
                                       Index depth) {
  std::vector<double> w = readout_of(layout, rows);
  for (Index l = depth; l >= 1; --l) {
    const ParameterBlock& block = layout.block_of(fmt::format("W{}", l));
    w = product(layout.outputs(), layout.width(), block.columns, 1.0, w, block_of(layout, block, rows));
  }
  return w;
}

void set_readout(const ParameterLayout& layout, const std::vector<double>& w, Vec theta) {
  const Index q = layout.outputs();
  WriteArray values(theta);
  for (Index i = layout.slice().begin; i < layout.slice().end; ++i)
    std::copy_n(w.begin() + i * q, q,
                values.data() + (i - layout.slice().begin) * layout.row_length() + layout.readout_offset());
}

void set_identity(const ParameterLayout& layout, const ParameterBlock& block, Vec theta) {
  WriteArray values(theta);
  for (Index i = layout.slice().begin; i < layout.slice().end; ++i) {
    double* row = values.data() + (i - layout.slice().begin) * layout.row_length() + block.offset;
    std::fill_n(row, block.columns, 0.0);
    if (i < block.columns) row[i] = 1.0;
  }
}

std::vector<double> singular_values(Index rows, Index columns, std::vector<double> matrix) {
  if (!std::all_of(matrix.begin(), matrix.end(), [](double x) { return std::isfinite(x); }))
    throw failure("singular values of a matrix that holds NaN or Inf: the training has diverged");
  std::vector<double> values(static_cast<std::size_t>(std::min(rows, columns)));
  if (values.empty()) return values;
  const auto m = static_cast<PetscBLASInt>(rows), n = static_cast<PetscBLASInt>(columns);
  const PetscBLASInt one = 1;
  PetscBLASInt length = -1, info = 0;  // first ask how much work space is best
  double best = 0.0, unused = 0.0;
  LAPACKgesvd_("N", "N", &m, &n, matrix.data(), &m, values.data(), &unused, &one, &unused, &one, &best,
               &length, &info);
  require_success(info, "gesvd", "singular values");
  length = static_cast<PetscBLASInt>(best);
  std::vector<double> work(static_cast<std::size_t>(length));
  LAPACKgesvd_("N", "N", &m, &n, matrix.data(), &m, values.data(), &unused, &one, &unused, &one, work.data(),
               &length, &info);
  require_success(info, "gesvd", "singular values");
  return values;
}

Spectrum spectrum_of(const std::vector<double>& values) {
  Spectrum s;
  double squares = 0.0;
  for (const double v : values) {
    s.nuclear += v;
    squares += v * v;
  }
  s.frobenius = std::sqrt(squares);
  const double largest = values.empty() ? 0.0 : values.front();
  s.stable_rank = ratio(squares, largest * largest);
  if (largest <= 0.0) {
    s.effective_rank = none;
    return s;
  }
  double entropy = 0.0;
  for (const double v : values)
    if (v > 0.0) entropy -= v / s.nuclear * std::log(v / s.nuclear);
  s.effective_rank = std::exp(entropy);
  return s;
}

double frobenius_norm(const std::vector<double>& a) {
  return std::sqrt(std::inner_product(a.begin(), a.end(), a.begin(), 0.0));
}

double relative_distance(const std::vector<double>& a, const std::vector<double>& b) {
  return ratio(frobenius_norm(difference(a, b)), frobenius_norm(b));
}

double relative_distance_1(Index rows, const std::vector<double>& a, const std::vector<double>& b) {
  return ratio(norm_1(rows, difference(a, b)), norm_1(rows, b));
}

double alignment(const std::vector<double>& a, const std::vector<double>& b) {
  return ratio(std::inner_product(a.begin(), a.end(), b.begin(), 0.0), frobenius_norm(a) * frobenius_norm(b));
}

std::vector<double> solve_from_right(Index q, Index k, Index d, const std::vector<double>& t,
                                     const std::vector<double>& m) {
  // Tᵀ Wᵀ = Mᵀ in least squares: Tᵀ is d x k, Mᵀ is d x q.
  std::vector<double> matrix(t.size()), sides(m.size());
  for (Index i = 0; i < k; ++i)
    for (Index j = 0; j < d; ++j)
      matrix[static_cast<std::size_t>(i * d + j)] = t[static_cast<std::size_t>(j * k + i)];
  for (Index c = 0; c < q; ++c)
    for (Index j = 0; j < d; ++j)
      sides[static_cast<std::size_t>(c * d + j)] = m[static_cast<std::size_t>(j * q + c)];
  const auto rows = static_cast<PetscBLASInt>(d), columns = static_cast<PetscBLASInt>(k),
             count = static_cast<PetscBLASInt>(q);
  PetscBLASInt length = -1, info = 0, rank = 0;
  double best = 0.0, cut = -1.0;  // singular values below machine precision are zero
  std::vector<double> values(static_cast<std::size_t>(std::min(k, d)));
  LAPACKgelss_(&rows, &columns, &count, matrix.data(), &rows, sides.data(), &rows, values.data(), &cut, &rank,
               &best, &length, &info);
  require_success(info, "gelss", "the teacher in the features");
  length = static_cast<PetscBLASInt>(best);
  std::vector<double> work(static_cast<std::size_t>(length));
  LAPACKgelss_(&rows, &columns, &count, matrix.data(), &rows, sides.data(), &rows, values.data(), &cut, &rank,
               work.data(), &length, &info);
  require_success(info, "gelss", "the teacher in the features");
  std::vector<double> w(static_cast<std::size_t>(q * k));
  for (Index i = 0; i < k; ++i)
    for (Index c = 0; c < q; ++c)
      w[static_cast<std::size_t>(i * q + c)] = sides[static_cast<std::size_t>(c * d + i)];
  return w;
}

}  // namespace poise::compare
