#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "poise/base/error.hpp"
#include "poise/base/option_rules.hpp"
#include "poise/model/classification_loss.hpp"
#include "poise/model/feature_map.hpp"
#include "poise/model/model.hpp"
#include "support/given_options.hpp"

namespace poise {
namespace {

class Absolute final : public Loss {
 public:
  [[nodiscard]] std::string name() const override { return "absolute"; }
  [[nodiscard]] std::string help() const override { return "is |f - y|"; }
  LossSum evaluate(Index, Index, const double*, const double*, double*, const double*) const override {
    return {};
  }
};

/// φ = -scaled_by times x.
class Scaled final : public FeatureMap {
 public:
  [[nodiscard]] std::string name() const override { return "scaled"; }
  [[nodiscard]] std::string help() const override { return "-scaled_by times the inputs"; }
  void read(Options& options) override {
    by_ = options.real("scaled_by", 2.0, {0, 10}, "scaled: the factor");
  }
  [[nodiscard]] Index fit(const FeatureSamples& samples, FeatureNumbers&) const override {
    return samples.inputs.columns();
  }
  void apply(const Features& features, Index count, const double* x, double* phi) const override {
    const Range own = features.feature_rows();
    for (Index i = 0; i < count; ++i)
      for (Index j = own.begin; j < own.end; ++j)
        phi[i * features.rows().size() + j - own.begin] = by_ * x[i * features.inputs() + j];
  }

 private:
  double by_ = 2.0;
};

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  return "no error";
}

bool is_listed(const std::string& name) {
  const auto names = loss_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

TEST(LossRegistry, FindsTheLossesOfPoiseByTheirNames) {
  for (const Loss* loss : {squared_loss(), logistic_loss(), cross_entropy_loss()}) {
    EXPECT_EQ(find_loss(loss->name()), loss);
    EXPECT_TRUE(loss->has_proven_rate());
    EXPECT_TRUE(loss->has_curvature());
  }
  EXPECT_EQ(loss_names(&Loss::least_squares), std::vector<std::string>{"squared"});
  EXPECT_FALSE(is_listed(linear_loss()->name()));
}

TEST(LossRegistry, ALossOfAUsersOwnIsListedAndFoundOnceAndHasNoProvenRate) {
  EXPECT_FALSE(is_listed("absolute"));
  EXPECT_NE(message_of([] { (void)find_loss("absolute"); }).find("squared, logistic, cross_entropy"),
            std::string::npos);
  register_loss(std::make_unique<Absolute>());
  EXPECT_TRUE(is_listed("absolute"));
  EXPECT_NE(loss_help().find("; absolute is |f - y|"), std::string::npos);
  const Loss* found = find_loss("absolute");
  EXPECT_EQ(found->name(), "absolute");
  EXPECT_FALSE(found->has_proven_rate());
  EXPECT_TRUE(std::isinf(found->largest_curvature()));
  EXPECT_NE(message_of([&] { found->multiply_curvature(1, 0, nullptr, nullptr); }).find("-loss absolute"),
            std::string::npos);
  EXPECT_NE(message_of([] { register_loss(std::make_unique<Absolute>()); }).find("'absolute' is known"),
            std::string::npos);
}

FeatureSettings read_features(const testing_support::OptionList& list) {
  const testing_support::GivenOptions given(list);
  Options options;
  const FeatureSettings features = FeatureSettings::from(options, 0);
  require_effect(options, {});
  return features;
}

TEST(FeatureRegistry, AMapOfAUsersOwnIsChosenByItsNameAndBringsItsOptions) {
  EXPECT_NE(message_of([] {
              (void)read_features({{"features", "scaled"}});
            }).find("not one of its choices"),
            std::string::npos);
  register_features<Scaled>();
  EXPECT_NE(message_of([] { register_features<Scaled>(); }).find("'scaled' is known already"),
            std::string::npos);
  EXPECT_NE(message_of([] {
              (void)read_features({{"scaled_by", "3"}});
            }).find("-scaled_by 3 does not go with -features whiten: leave it out, or give -features scaled"),
            std::string::npos);
  EXPECT_NE(message_of([] {
              (void)read_features({{"features", "scaled"}, {"features_width", "3"}});
            }).find("-features_width 3 does not go with -features scaled"),
            std::string::npos);
  const FeatureSettings settings = read_features({{"features", "scaled"}, {"scaled_by", "3"}});
  const ProcessGrid grid(MPI_COMM_SELF);
  const std::vector<double> x{1.0, 2.0, -1.0, 4.0};  // two samples of two inputs
  const Features features = settings.fit(grid, 2, 2, x.data());
  EXPECT_EQ(features.map().name(), "scaled");
  ASSERT_EQ(features.width(), 3);
  std::vector<double> phi(6);
  features.apply(2, x.data(), phi.data());
  EXPECT_EQ(phi, (std::vector<double>{3.0, 6.0, 1.0, -3.0, 12.0, 1.0}));
}

TEST(ModelRegistry, ANameIsTakenOnce) {
  const ReadModel none = [](Options&) { return std::shared_ptr<const Model>(); };
  const std::size_t before = registered_models().size();
  register_model("own", "an equation", none);
  ASSERT_EQ(registered_models().size(), before + 1);
  EXPECT_EQ(registered_models().back().help, "an equation");
  for (const char* name : {"own", "softmax_linear", "pointwise", "monotone"})
    EXPECT_NE(message_of([&] { register_model(name, "", none); }).find("is known already"),
              std::string::npos);
  registered_models().pop_back();
}

}  // namespace
}  // namespace poise
