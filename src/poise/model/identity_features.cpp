#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/model/feature_map.hpp"

namespace poise {
inline namespace model {
namespace {

/// Sums of squares of larger inputs may overflow a double.
constexpr double largest_square_root = 1e150;

/// Throws if an input is so large, or all features are so small, that sums of squares may overflow or
/// underflow.
void require_usual_size(const ColumnStatistics& inputs, bool constant) {
  double largest = constant ? 1.0 : 0.0;
  for (std::size_t j = 0; j < inputs.low.size(); ++j) {
    const double size = std::max(std::abs(inputs.low[j]), std::abs(inputs.high[j]));
    largest = std::max(largest, size);
    if (size > largest_square_root)
      throw Error(
          ExitCode::bad_input,
          fmt::format("-features identity: input {} reaches {}, and its square may overflow; give the input "
                      "in another unit, or choose -features whiten",
                      j, to_text(size)),
          true);
  }
  if (largest < 1.0 / largest_square_root)
    throw Error(ExitCode::bad_input,
                "-features identity: no input exceeds " + to_text(largest) +
                    ", and squares may underflow; give the inputs in other units, or choose -features whiten",
                true);
}

class Identity final : public FeatureMap {
 public:
  [[nodiscard]] std::string name() const override { return "identity"; }
  [[nodiscard]] std::string help() const override { return "the inputs as they are"; }
  [[nodiscard]] Index fit(const FeatureSamples& samples, FeatureNumbers& numbers) const override {
    require_usual_size(samples.inputs, samples.constant);
    numbers.mean.assign(numbers.mean.size(), 0.0);
    return samples.inputs.columns();
  }
  void apply(const Features& features, Index count, const double* x, double* phi) const override {
    const Range own = features.feature_rows();
    for (Index i = 0; i < count; ++i)
      std::copy_n(x + i * features.inputs() + own.begin, own.size(), phi + i * features.rows().size());
  }
  [[nodiscard]] Index fixed_count(Index d) const override { return d; }
  [[nodiscard]] bool linear() const override { return true; }
  [[nodiscard]] bool depends_on_data() const override { return false; }
};

}  // namespace

std::shared_ptr<FeatureMap> identity_features() {
  return std::make_shared<Identity>();
}

}  // namespace model
}  // namespace poise
