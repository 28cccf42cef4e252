#include "poise/model/scales.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/base/options.hpp"

namespace poise {
inline namespace model {
namespace {

/// The square of a larger scale, or of a scale below the reciprocal, could overflow or underflow in a loss.
constexpr double largest_scale = 1e150;

/// Values that differ by less, relative to the largest value, are the same value with different rounding.
constexpr double indistinct = 8.0 * std::numeric_limits<double>::epsilon();

void reduce(const ProcessGrid& grid, std::vector<double>& values, MPI_Op operation) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, values.data(), mpi_count(static_cast<Index>(values.size())),
                          MPI_DOUBLE, operation, grid.sample()));
}

void find_range(const ProcessGrid& grid, Index count, const double* x, ColumnStatistics& s) {
  const Index columns = s.columns();
  for (Index i = 0; i < count; ++i)
    for (Index j = 0; j < columns; ++j) {
      s.low[j] = std::min(s.low[j], x[i * columns + j]);
      s.high[j] = std::max(s.high[j], x[i * columns + j]);
    }
  reduce(grid, s.low, MPI_MIN);
  reduce(grid, s.high, MPI_MAX);
  for (Index j = 0; j < columns; ++j)
    if (!std::isfinite(s.high[j] - s.low[j]))
      throw Error(
          ExitCode::bad_input,
          fmt::format(
              "column {} of the data spans more than the largest number (1.8e308): give it in another unit",
              j),
          true);
}

}  // namespace

ColumnStatistics column_statistics(const ProcessGrid& grid, Index columns, Index count, const double* x) {
  const auto size = static_cast<std::size_t>(columns);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  ColumnStatistics s{std::vector<double>(size, 0.0), std::vector<double>(size, 0.0),
                     std::vector<double>(size, infinity), std::vector<double>(size, -infinity)};
  find_range(grid, count, x, s);
  std::vector<double> total{static_cast<double>(count)};
  reduce(grid, total, MPI_SUM);
  const double n = total[0];

  for (Index i = 0; i < count; ++i)
    for (Index j = 0; j < columns; ++j) s.mean[j] += (x[i * columns + j] - s.low[j]) / n;
  reduce(grid, s.mean, MPI_SUM);
  std::vector<double> range(size);
  for (std::size_t j = 0; j < size; ++j) {
    s.mean[j] = std::clamp(s.mean[j] + s.low[j], s.low[j], s.high[j]);
    range[j] = s.high[j] - s.low[j];
    if (range[j] <= indistinct * std::max(std::abs(s.low[j]), std::abs(s.high[j]))) range[j] = 0.0;
  }
  for (Index i = 0; i < count; ++i)
    for (Index j = 0; j < columns; ++j) {
      const double share = range[j] > 0.0 ? (x[i * columns + j] - s.mean[j]) / range[j] : 0.0;
      s.deviation[j] += share * share / n;
    }
  reduce(grid, s.deviation, MPI_SUM);
  for (std::size_t j = 0; j < size; ++j) s.deviation[j] = range[j] * std::sqrt(s.deviation[j]);
  return s;
}

TargetScale TargetScale::fit(const ProcessGrid& grid, Index outputs, Index count, const double* y,
                             bool centre) {
  const ColumnStatistics s = column_statistics(grid, outputs, count, y);
  TargetScale result{std::vector<double>(static_cast<std::size_t>(outputs), 0.0), 1.0};
  double largest = 0.0;
  std::vector<double> size(result.shift.size());
  for (std::size_t c = 0; c < size.size(); ++c) {
    size[c] = centre ? s.deviation[c] : std::hypot(s.deviation[c], s.mean[c]);
    if (centre) result.shift[c] = s.mean[c];
    largest = std::max(largest, size[c]);
  }
  if (largest == 0.0) return result;  // constant targets, or zeros: the scale stays 1
  double mean_square = 0.0;
  for (const double entry : size)
    mean_square += (entry / largest) * (entry / largest) / static_cast<double>(outputs);
  result.scale = largest * std::sqrt(mean_square);
  if (result.scale > largest_scale || result.scale < 1.0 / largest_scale)
    throw Error(ExitCode::bad_input,
                fmt::format("the targets vary by {}, too much or too little for their squares in a loss; "
                            "give them in another unit",
                            to_text(result.scale)),
                true);
  return result;
}

void TargetScale::apply(std::vector<double>& y) const {
  if (!is_set()) return;
  const std::size_t q = shift.size();
  for (std::size_t e = 0; e < y.size(); ++e) y[e] = (y[e] - shift[e % q]) / scale;
}

}  // namespace model
}  // namespace poise
