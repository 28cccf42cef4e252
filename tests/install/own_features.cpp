// poise-train, and poise-audit as "own_features audit", with one feature map more, -features quadratic: the
// standardised inputs u_j = (x_j − μ_j)/σ_j and -quadratic_weight times their squares.
#include <string_view>

#include "poise/audit/audit.hpp"
#include "poise/model/feature_map.hpp"
#include "poise/run/train.hpp"

using namespace poise;

class Quadratic final : public FeatureMap {
 public:
  std::string name() const override { return "quadratic"; }
  std::string help() const override { return "standardised inputs and their squares"; }
  std::string description() const override { return "quadratic, weight " + to_text(weight_); }
  void read(Options& options) override {
    weight_ = options.real("quadratic_weight", 0.5, {0, 1e6}, "features quadratic: weight of the squares");
  }

  // Features 0 to d − 1 are the inputs, d to 2d − 1 the squares. Each has its 1/σ_j, which checkpoints store.
  Index fixed_count(Index d) const override { return 2 * d; }
  std::vector<FeatureBlock> blocks(Index) const override { return {{"scale", 1}}; }
  Index fit(const FeatureSamples& samples, FeatureNumbers& numbers) const override {
    const Index d = samples.inputs.columns();
    const Range rows = samples.rows(2 * d), own = samples.feature_rows(2 * d);
    std::vector<double> scale(static_cast<std::size_t>(rows.size()), 0.0);
    for (Index i = own.begin; i < own.end; ++i)
      if (samples.inputs.varies(i % d)) scale[i - rows.begin] = 1.0 / samples.inputs.deviation[i % d];
    numbers.blocks = {scale};
    return 2 * d;
  }
  void apply(const Features& features, Index count, const double* x, double* phi) const override {
    const Index d = features.inputs(), first = features.rows().begin;
    const Range own = features.feature_rows();
    const std::vector<double>& scale = features.block("scale");
    for (Index sample = 0; sample < count; ++sample, x += d, phi += features.rows().size())
      for (Index i = own.begin; i < own.end; ++i) {
        const double u = (x[i % d] - features.mean()[i % d]) * scale[i - first];
        phi[i - first] = i < d ? u : weight_ * u * u;
      }
  }

 private:
  double weight_ = 0.5;
};

int main(int argc, char** argv) {
  register_features<Quadratic>();
  const bool audits = argc > 1 && std::string_view(argv[1]) == "audit";
  return audits ? audit_main(argc - 1, argv + 1) : train_main(argc, argv);
}
