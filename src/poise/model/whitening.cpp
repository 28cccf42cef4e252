#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/linalg/dense_eigen.hpp"
#include "poise/model/affine_features.hpp"

namespace poise {
inline namespace model {
namespace {

void sum_over_samples(const ProcessGrid& grid, std::vector<double>& values) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, values.data(), mpi_count(static_cast<Index>(values.size())),
                          MPI_DOUBLE, MPI_SUM, grid.sample()));
}

/// Collective. The correlation matrix of the inputs, each divided by its `scale`.
std::vector<double> correlation_of(const FeatureSamples& samples, const std::vector<double>& scale) {
  const ColumnStatistics& inputs = samples.inputs;
  const Index d = inputs.columns();
  std::vector<double> correlation(static_cast<std::size_t>(d * d), 0.0);
  for_centred_panels(inputs.mean, samples.count, samples.x, [&](Index, Index columns, double* centred) {
    for (Index i = 0; i < columns; ++i)
      for (Index j = 0; j < d; ++j)
        centred[i * d + j] = inputs.varies(j) ? centred[i * d + j] / scale[j] : 0.0;
    gemm('N', 'T', d, d, columns, 1.0, centred, d, centred, d, 1.0, correlation.data(), d);
  });
  sum_over_samples(samples.grid, correlation);
  std::vector<double> n{static_cast<double>(samples.count)};
  sum_over_samples(samples.grid, n);
  for (double& entry : correlation) entry /= n[0];
  return correlation;
}

class Whiten final : public FeatureMap {
 public:
  explicit Whiten(const Whitening& whitening) : whitening_(whitening) {}
  [[nodiscard]] std::string name() const override { return "whiten"; }
  [[nodiscard]] std::string help() const override { return "centred, decorrelated, with unit variance"; }
  [[nodiscard]] std::string width_help() const override { return "number of components to keep, 0: all"; }
  void read(Options& options) override {
    whitening_.zca = options.flag(
        "features_zca", false,
        "whiten: rotate the whitened features back to the axes of the inputs (ZCA); there are as many "
        "features as inputs");
    whitening_.standardise = options.flag("features_standardise", true,
                                          "whiten: first scale every input to variance 1, so that units do "
                                          "not decide which directions are kept");
    whitening_.rank_cut =
        options.real("features_rank_cut", whitening_.rank_cut, {0, 1},
                     "whiten: drop directions with a variance below this number times the largest variance");
  }

  [[nodiscard]] std::vector<FeatureBlock> blocks(Index d) const override { return {{"transform", d}}; }
  [[nodiscard]] Index fit(const FeatureSamples& samples, FeatureNumbers& numbers) const override;
  void apply(const Features& features, Index count, const double* x, double* phi) const override {
    apply_transform(features, count, x, phi);
  }
  [[nodiscard]] Index fixed_count(Index d) const override { return whitening_.zca ? d : 0; }
  [[nodiscard]] bool linear() const override { return true; }
  [[nodiscard]] std::optional<double> rotation_cut() const override { return whitening_.rank_cut; }

 private:
  [[nodiscard]] Index rank_of(const FeatureSamples& samples, const SymmetricEigen& eigen) const;
  [[nodiscard]] std::vector<double> transform_of(const FeatureSamples& samples, Index rank,
                                                 const std::vector<double>& scale,
                                                 const SymmetricEigen& eigen) const;
  Whitening whitening_;
};

/// The number of directions to keep.
Index Whiten::rank_of(const FeatureSamples& samples, const SymmetricEigen& eigen) const {
  const auto kept =
      static_cast<Index>(std::count_if(eigen.values.begin(), eigen.values.end(), [&](double value) {
        return value > 0.0 && value >= whitening_.rank_cut * eigen.values[0];
      }));
  if (kept == 0)
    throw Error(ExitCode::bad_input, "-features whiten: no input varies over the training samples", true);
  if (samples.width > kept)
    throw Error(ExitCode::bad_input,
                fmt::format("-features_width {}: the inputs vary in only {} directions above "
                            "-features_rank_cut {}",
                            samples.width, kept, to_text(whitening_.rank_cut)),
                true);
  return samples.width > 0 ? samples.width : kept;
}

std::vector<double> Whiten::transform_of(const FeatureSamples& samples, Index rank,
                                         const std::vector<double>& scale,
                                         const SymmetricEigen& eigen) const {
  const Index d = samples.inputs.columns(), count = whitening_.zca ? d : rank;
  const Range rows = samples.rows(count), own = samples.feature_rows(count);
  std::vector<double> transform(static_cast<std::size_t>(rows.size() * d), 0.0);
  for (Index i = own.begin; i < own.end; ++i) {
    double* row = transform.data() + (i - rows.begin) * d;
    for (Index k = whitening_.zca ? 0 : i; k < (whitening_.zca ? rank : i + 1); ++k) {
      const double size = (whitening_.zca ? eigen.vectors[k * d + i] : 1.0) / std::sqrt(eigen.values[k]);
      for (Index j = 0; j < d; ++j)
        if (samples.inputs.varies(j)) row[j] += size * eigen.vectors[k * d + j] / scale[j];
    }
  }
  return transform;
}

/// For each input, the share of its variance in the first `rank` directions.
std::vector<double> kept_shares(const ColumnStatistics& inputs, Index rank, const SymmetricEigen& eigen) {
  const Index d = inputs.columns();
  std::vector<double> shares;
  for (Index j = 0; j < d; ++j) {
    double kept = 0.0, all = 0.0;
    for (Index k = 0; k < d; ++k) {
      const double part =
          std::max(0.0, eigen.values[k]) * eigen.vectors[k * d + j] * eigen.vectors[k * d + j];
      all += part;
      if (k < rank) kept += part;
    }
    shares.push_back(inputs.varies(j) && all > 0.0 ? kept / all : 0.0);
  }
  return shares;
}

Index Whiten::fit(const FeatureSamples& samples, FeatureNumbers& numbers) const {
  const Index d = samples.inputs.columns();
  numbers.standardised = samples.standardise.value_or(whitening_.standardise);
  const std::vector<double> scale = input_scales(samples.inputs, numbers.standardised);
  const SymmetricEigen eigen = symmetric_eigen(samples.grid.world(), d, correlation_of(samples, scale));
  const Index rank = rank_of(samples, eigen);
  numbers.blocks = {transform_of(samples, rank, scale, eigen)};
  numbers.kept_variance = kept_shares(samples.inputs, rank, eigen);
  return whitening_.zca ? d : rank;
}

}  // namespace

std::shared_ptr<FeatureMap> whiten_features(const Whitening& whitening) {
  return std::make_shared<Whiten>(whitening);
}

}  // namespace model
}  // namespace poise
