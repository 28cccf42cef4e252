#include "poise_compare/linear_weight.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "poise/base/check.hpp"
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
    const ParameterBlock& block = layout.block_of("W" + std::to_string(l));
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

}  // namespace poise::compare
