#include "poise/model/feature_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/base/random.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/linalg/dense_eigen.hpp"

namespace poise {
namespace {

const std::vector<std::string> kind_names{"identity", "whiten", "random_relu", "random_fourier"};

void sum_over_samples(const ProcessGrid& grid, std::vector<double>& values) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, values.data(), mpi_count(static_cast<Index>(values.size())),
                          MPI_DOUBLE, MPI_SUM, grid.sample()));
}

double total_count(const ProcessGrid& grid, Index count) {
  std::vector<double> total{static_cast<double>(count)};
  sum_over_samples(grid, total);
  return total[0];
}

/// Inputs beyond it have no square that a double can hold with others; scaled ones may be as large.
constexpr double largest_square_root = 1e150;
/// Nor a reciprocal beyond it.
constexpr double largest_scale = 1e290;

/// Inputs as they are must not be so large, or all of them so small, that their squares are no numbers.
void require_usual_size(const FeatureOptions& options, const ColumnStatistics& inputs) {
  double largest = options.constant ? 1.0 : 0.0;
  for (std::size_t j = 0; j < inputs.low.size(); ++j) {
    const double size = std::max(std::abs(inputs.low[j]), std::abs(inputs.high[j]));
    largest = std::max(largest, size);
    if (size > largest_square_root)
      throw Error(ExitCode::bad_input,
                  fmt::format("-features identity: input {} reaches {}, whose square is no number; give it "
                              "in another unit, or take -features whiten",
                              j, to_text(size)),
                  true);
  }
  if (largest < 1.0 / largest_square_root)
    throw Error(ExitCode::bad_input,
                "-features identity: no input exceeds " + to_text(largest) +
                    ", whose square is no number; give the inputs in other units, or take -features whiten",
                true);
}

/// What inputs are divided by: their deviations, or the largest of them; 0 for one that does not vary.
std::vector<double> input_scales(const FeatureOptions& options, const ColumnStatistics& inputs) {
  std::vector<double> scale = inputs.deviation;
  const double largest = *std::max_element(scale.begin(), scale.end());
  for (std::size_t j = 0; j < scale.size(); ++j) {
    if (!inputs.varies(static_cast<Index>(j))) continue;
    if (!options.standardise) scale[j] = largest;
    if (scale[j] < 1.0 / largest_scale || scale[j] > largest_scale)
      throw Error(ExitCode::bad_input,
                  fmt::format("input {} varies by {}, too {} to be scaled to 1; give it in another unit", j,
                              to_text(scale[j]), scale[j] > 1.0 ? "much" : "little"),
                  true);
  }
  return scale;
}

/// Columns of x minus the mean, a panel at a time so that the copy stays small.
template <class Use>
void for_centred_panels(const std::vector<double>& mean, Index count, const double* x, Use use) {
  const auto inputs = static_cast<Index>(mean.size());
  const Index panel = 256;
  std::vector<double> centred(static_cast<std::size_t>(inputs * std::min(panel, count)));
  for (Index first = 0; first < count; first += panel) {
    const Index columns = std::min(panel, count - first);
    for (Index i = 0; i < columns; ++i)
      for (Index j = 0; j < inputs; ++j) centred[i * inputs + j] = x[(first + i) * inputs + j] - mean[j];
    use(first, columns, centred.data());
  }
}

}  // namespace

FeatureKind parse_features(const std::string& name) {
  const auto found = std::find(kind_names.begin(), kind_names.end(), name);
  if (found == kind_names.end()) throw bad_input("unknown feature map '" + name + "'");
  return static_cast<FeatureKind>(found - kind_names.begin());
}

std::string to_string(FeatureKind kind) {
  return kind_names[static_cast<std::size_t>(kind)];
}

FeatureOptions FeatureOptions::from(Options& options, std::uint64_t seed) {
  const Options::Category category(options, "features");
  FeatureOptions f;
  f.kind = parse_features(
      options.choice("features", "whiten", kind_names,
                     "what the model sees of the inputs; whiten: centred, decorrelated, unit variance"));
  f.width = options.integer(
      "features_width", 0, {0, 1e7},
      "whiten: components kept, 0: all; random_relu, random_fourier: number of features, 0: 512");
  f.constant = options.flag("features_constant", true, "append the constant 1 to the features");
  f.zca = options.flag("features_zca", false,
                       "whiten: rotate back to the inputs' axes (ZCA); keeps the input width");
  f.standardise = options.flag(
      "features_standardise", true,
      "whiten: scale every input to variance 1 first, so that its unit does not decide whether it is kept");
  f.rank_cut = options.real("features_rank_cut", f.rank_cut, {0, 1},
                            "whiten: drop directions whose variance, relative to the largest, is below this");
  f.bandwidth = options.real("features_bandwidth", 1.0, {1e-6, 1e6},
                             "random_fourier: length scale of the Gaussian kernel");
  f.seed = seed;
  return f;
}

FeatureMap::FeatureMap(const ProcessGrid& grid, const FeatureOptions& options, Index inputs, Index count,
                       const double* x)
    : kind_(options.kind),
      constant_(options.constant),
      standardised_(options.standardise),
      inputs_(column_statistics(grid, inputs, count, x)) {
  mean_ = inputs_.mean;
  kept_variance_.resize(mean_.size());
  for (Index j = 0; j < inputs; ++j) kept_variance_[j] = inputs_.varies(j) ? 1.0 : 0.0;
  if (kind_ == FeatureKind::identity) {
    require_usual_size(options, inputs_);
    mean_.assign(static_cast<std::size_t>(inputs), 0.0);
    width_ = inputs + (constant_ ? 1 : 0);
    set_rows(grid);
    return;
  }
  if (kind_ == FeatureKind::whiten) {
    fit_whitening(grid, options, count, x);
  } else {
    draw_random(grid, options);
  }
}

FeatureMap::FeatureMap(const ProcessGrid& grid, FeatureKind kind, bool constant, Index width,
                       std::vector<double> mean, std::vector<double> transform, std::vector<double> offset)
    : kind_(kind),
      constant_(constant),
      width_(width),
      mean_(std::move(mean)),
      transform_(std::move(transform)),
      offset_(std::move(offset)) {
  set_rows(grid);
}

void FeatureMap::set_rows(const ProcessGrid& grid) {
  rows_ = block_range(width_, grid.feature_ranks(), grid.feature_index());
}

Range FeatureMap::own_transform_rows() const {
  const Index end = std::min(rows_.end, transform_rows());
  return {std::min(rows_.begin, end), end};
}

void FeatureMap::fit_whitening(const ProcessGrid& grid, const FeatureOptions& options, Index count,
                               const double* x) {
  const Index d = inputs();
  const std::vector<double> scale = input_scales(options, inputs_);
  std::vector<double> correlation(static_cast<std::size_t>(d * d), 0.0);
  for_centred_panels(mean_, count, x, [&](Index, Index columns, double* centred) {
    for (Index i = 0; i < columns; ++i)
      for (Index j = 0; j < d; ++j)
        centred[i * d + j] = inputs_.varies(j) ? centred[i * d + j] / scale[j] : 0.0;
    gemm('N', 'T', d, d, columns, 1.0, centred, d, centred, d, 1.0, correlation.data(), d);
  });
  sum_over_samples(grid, correlation);
  const double n = total_count(grid, count);
  for (double& entry : correlation) entry /= n;
  const SymmetricEigen eigen = symmetric_eigen(grid.world(), d, std::move(correlation));

  const auto kept =
      static_cast<Index>(std::count_if(eigen.values.begin(), eigen.values.end(), [&](double value) {
        return value > 0.0 && value >= options.rank_cut * eigen.values[0];
      }));
  if (kept == 0)
    throw Error(ExitCode::bad_input, "-features whiten: no input varies over the training samples", true);
  if (options.width > kept)
    throw Error(ExitCode::bad_input,
                fmt::format("-features_width {}: the inputs vary in only {} directions above "
                            "-features_rank_cut {}",
                            options.width, kept, to_text(options.rank_cut)),
                true);
  const Index rank = options.width > 0 ? options.width : kept;
  width_ = (options.zca ? d : rank) + (constant_ ? 1 : 0);
  set_rows(grid);
  write_whitening(options, rank, scale, eigen);
}

void FeatureMap::write_whitening(const FeatureOptions& options, Index rank, const std::vector<double>& scale,
                                 const SymmetricEigen& eigen) {
  const Index d = inputs();
  const Range own = own_transform_rows();
  transform_.assign(static_cast<std::size_t>(rows_.size() * d), 0.0);
  for (Index i = own.begin; i < own.end; ++i) {
    double* row = transform_.data() + (i - rows_.begin) * d;
    for (Index k = options.zca ? 0 : i; k < (options.zca ? rank : i + 1); ++k) {
      const double size = (options.zca ? eigen.vectors[k * d + i] : 1.0) / std::sqrt(eigen.values[k]);
      for (Index j = 0; j < d; ++j)
        if (inputs_.varies(j)) row[j] += size * eigen.vectors[k * d + j] / scale[j];
    }
  }
  for (Index j = 0; j < d; ++j) {
    double kept = 0.0, all = 0.0;
    for (Index k = 0; k < d; ++k) {
      const double part =
          std::max(0.0, eigen.values[k]) * eigen.vectors[k * d + j] * eigen.vectors[k * d + j];
      all += part;
      if (k < rank) kept += part;
    }
    kept_variance_[j] = inputs_.varies(j) && all > 0.0 ? kept / all : 0.0;
  }
}

void FeatureMap::draw_random(const ProcessGrid& grid, const FeatureOptions& options) {
  const Index d = inputs();
  const std::vector<double> deviation = input_scales({.standardise = true}, inputs_);
  const bool fourier = kind_ == FeatureKind::random_fourier;
  const double gain = fourier ? 1.0 / options.bandwidth : std::numbers::sqrt2;

  width_ = (options.width > 0 ? options.width : 512) + (constant_ ? 1 : 0);
  set_rows(grid);
  const CounterRandom entries(options.seed, Stream::features);
  const CounterRandom phases(options.seed, Stream::feature_phases);
  const Range own = own_transform_rows();
  transform_.assign(static_cast<std::size_t>(rows_.size() * d), 0.0);
  offset_.assign(static_cast<std::size_t>(rows_.size()), 0.0);
  for (Index i = own.begin; i < own.end; ++i) {
    for (Index j = 0; j < d; ++j) {
      const double scale =
          inputs_.varies(j) ? gain / (deviation[j] * std::sqrt(static_cast<double>(d))) : 0.0;
      transform_[(i - rows_.begin) * d + j] = scale * entries.normal(i, j);
    }
    if (fourier) offset_[i - rows_.begin] = 2.0 * std::numbers::pi * phases.uniform(i);
  }
}

void FeatureMap::apply(Index count, const double* x, double* phi) const {
  const Index d = inputs();
  const Index height = rows_.size();
  const Range own = own_transform_rows();
  if (kind_ == FeatureKind::identity) {
    for (Index i = 0; i < count; ++i) std::copy_n(x + i * d + own.begin, own.size(), phi + i * height);
  } else {
    for_centred_panels(mean_, count, x, [&](Index first, Index columns, const double* centred) {
      gemm('T', 'N', height, columns, d, 1.0, transform_.data(), d, centred, d, 0.0, phi + first * height,
           height);
    });
  }
  const double amplitude = std::sqrt(2.0 / static_cast<double>(std::max<Index>(1, transform_rows())));
  for (Index i = 0; i < count; ++i) {
    double* column = phi + i * height;
    for (Index k = 0; k < own.size(); ++k) {
      if (kind_ == FeatureKind::random_relu) column[k] = std::max(0.0, column[k]);
      if (kind_ == FeatureKind::random_fourier) column[k] = amplitude * std::cos(column[k] + offset_[k]);
    }
    if (own.size() < height) column[height - 1] = 1.0;
  }
}

}  // namespace poise
