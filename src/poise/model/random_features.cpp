#include <algorithm>
#include <cmath>
#include <numbers>

#include "poise/base/random.hpp"
#include "poise/model/affine_features.hpp"

namespace poise {
inline namespace model {
namespace {

class RandomFeatures : public FeatureMap {
 public:
  [[nodiscard]] std::string width_help() const override { return "number of features, 0: 512"; }
  [[nodiscard]] std::vector<FeatureBlock> blocks(Index d) const override {
    return {{"transform", d}, {"offset", 1}};
  }

 protected:
  /// T_ij ~ N(0, gain²/d)/σ_j.
  static Index draw_transform(const FeatureSamples& samples, double gain, FeatureNumbers& numbers) {
    const Index d = samples.inputs.columns(), count = samples.width > 0 ? samples.width : 512;
    const std::vector<double> deviation = input_scales(samples.inputs, true);
    const Range rows = samples.rows(count), own = samples.feature_rows(count);
    const CounterRandom entries(samples.seed, Stream::features);
    std::vector<double> transform(static_cast<std::size_t>(rows.size() * d), 0.0);
    for (Index i = own.begin; i < own.end; ++i)
      for (Index j = 0; j < d; ++j) {
        const double scale =
            samples.inputs.varies(j) ? gain / (deviation[j] * std::sqrt(static_cast<double>(d))) : 0.0;
        transform[(i - rows.begin) * d + j] = scale * entries.normal(i, j);
      }
    numbers.blocks = {std::move(transform), std::vector<double>(static_cast<std::size_t>(rows.size()), 0.0)};
    return count;
  }
};

class RandomRelu final : public RandomFeatures {
 public:
  [[nodiscard]] std::string name() const override { return "random_relu"; }
  [[nodiscard]] std::string help() const override { return "a random relu layer, drawn by -seed"; }
  [[nodiscard]] Index fit(const FeatureSamples& samples, FeatureNumbers& numbers) const override {
    return draw_transform(samples, std::numbers::sqrt2, numbers);
  }
  void apply(const Features& features, Index count, const double* x, double* phi) const override {
    apply_transform(features, count, x, phi);
    for (Index i = 0; i < features.rows().size() * count; ++i) phi[i] = std::max(0.0, phi[i]);
  }
};

class RandomFourier final : public RandomFeatures {
 public:
  explicit RandomFourier(double bandwidth) : bandwidth_(bandwidth) {}
  [[nodiscard]] std::string name() const override { return "random_fourier"; }
  [[nodiscard]] std::string help() const override {
    return "random cosines, an approximation of a Gaussian kernel";
  }
  void read(Options& options) override {
    bandwidth_ = options.real("features_bandwidth", 1.0, {1e-6, 1e6},
                              "random_fourier: length scale of the Gaussian kernel");
  }
  [[nodiscard]] Index fit(const FeatureSamples& samples, FeatureNumbers& numbers) const override {
    const Index count = draw_transform(samples, 1.0 / bandwidth_, numbers);
    const CounterRandom phases(samples.seed, Stream::feature_phases);
    const Range rows = samples.rows(count), own = samples.feature_rows(count);
    for (Index i = own.begin; i < own.end; ++i)
      numbers.blocks[1][i - rows.begin] = 2.0 * std::numbers::pi * phases.uniform(i);
    return count;
  }
  void apply(const Features& features, Index count, const double* x, double* phi) const override {
    apply_transform(features, count, x, phi);
    const std::vector<double>& offset = features.block("offset");
    const Index height = features.rows().size(), own = features.feature_rows().size();
    const double amplitude = std::sqrt(2.0 / static_cast<double>(std::max<Index>(1, features.count())));
    for (Index i = 0; i < count; ++i)
      for (Index k = 0; k < own; ++k)
        phi[i * height + k] = amplitude * std::cos(phi[i * height + k] + offset[k]);
  }

 private:
  double bandwidth_;
};

}  // namespace

std::shared_ptr<FeatureMap> random_relu_features() {
  return std::make_shared<RandomRelu>();
}

std::shared_ptr<FeatureMap> random_fourier_features(double bandwidth) {
  return std::make_shared<RandomFourier>(bandwidth);
}

}  // namespace model
}  // namespace poise
