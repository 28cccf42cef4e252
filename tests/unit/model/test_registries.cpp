#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "poise/base/error.hpp"
#include "poise/model/classification_loss.hpp"
#include "poise/model/model.hpp"

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
