#include <algorithm>
#include <cmath>

#include "poise/model/feature_map.hpp"

namespace poise {
inline namespace model {
namespace {

/// Every sample by itself: nothing is fitted, and a sample of zeros keeps its zeros.
class UnitRows final : public FeatureMap {
 public:
  [[nodiscard]] std::string name() const override { return "unit_rows"; }
  [[nodiscard]] std::string help() const override {
    return "the inputs of every sample divided by the sum of their absolute values, as is usual for counts "
           "of "
           "words";
  }
  [[nodiscard]] Index fit(const FeatureSamples& samples, FeatureNumbers& numbers) const override {
    numbers.mean.assign(numbers.mean.size(), 0.0);
    return samples.inputs.columns();
  }
  void apply(const Features& features, Index count, const double* x, double* phi) const override {
    const Range own = features.feature_rows();
    const Index d = features.inputs(), height = features.rows().size();
    for (Index i = 0; i < count; ++i) {
      const double* row = x + i * d;
      // Relative to the largest entry, so that no sum overflows.
      double largest = 0.0, sum = 0.0;
      for (Index j = 0; j < d; ++j) largest = std::max(largest, std::abs(row[j]));
      for (Index j = 0; j < d && largest > 0.0; ++j) sum += std::abs(row[j]) / largest;
      for (Index k = 0; k < own.size(); ++k)
        phi[i * height + k] = largest > 0.0 ? row[own.begin + k] / largest / sum : 0.0;
    }
  }
  [[nodiscard]] Index fixed_count(Index d) const override { return d; }
  [[nodiscard]] bool depends_on_data() const override { return false; }
};

}  // namespace

std::shared_ptr<FeatureMap> unit_row_features() {
  return std::make_shared<UnitRows>();
}

}  // namespace model
}  // namespace poise
