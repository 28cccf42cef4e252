#include <gtest/gtest.h>
#include <petscsys.h>

#include <string>

#include "poise/base/error.hpp"
#include "poise/base/option_rules.hpp"
#include "support/given_options.hpp"

namespace poise {
namespace {

using testing_support::GivenOptions;

const std::vector<OptionRule> rules{
    {"momentum", {{"method", {"momentum", "nesterov"}}}},
    {"epochs", {{"batch", {"0"}, true}}},
    {"activation", {{"model", {"pointwise"}}, {"objective", {"feedforward"}}}},
    {"eq_alpha", {{"eq_snes_type", {"picard"}}}},
    {"flow_*", {{"method", {"flow"}}}}};

/// The message that refuses these options; empty if they pass.
std::string said_of(const testing_support::OptionList& list, const std::vector<std::string>& recalled = {}) {
  const GivenOptions given(list);
  Options options;
  (void)options.choice("method", "gradient", {"gradient", "momentum", "nesterov", "flow"}, "");
  (void)options.real("momentum", 0.9, {0, 1}, "");
  (void)options.integer("batch", 0, {0, 100}, "");
  (void)options.integer("epochs", 0, {0, 100}, "");
  (void)options.text("activation", "identity", "");
  (void)options.text("model", "linear", "");
  (void)options.text("objective", "equilibrium", "");
  (void)options.real("eq_alpha", 0.0, {0, 10}, "");
  (void)options.flag("flow_own", false, "");  // an option of Poise, not of the solver with this prefix
  try {
    require_effect(options, rules, recalled);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_TRUE(error.collective());
    return error.what();
  }
  return {};
}

TEST(OptionRules, AnOptionWithoutEffectIsRefusedWithTheOtherOneAndTheCure) {
  EXPECT_EQ(
      said_of({{"momentum", "0.5"}}),
      "-momentum 0.5 does not go with -method gradient: leave it out, or give -method momentum or nesterov");
  EXPECT_EQ(said_of({{"epochs", "2"}}),
            "-epochs 2 does not go with -batch 0: leave it out, or give -batch other than 0");
  EXPECT_EQ(
      said_of({{"activation", "tanh"}}),
      "-activation tanh does not go with -model linear and -objective equilibrium: leave it out, or give "
      "-model pointwise or -objective feedforward");
  EXPECT_EQ(said_of({{"eq_alpha", "2"}}),
            "-eq_alpha 2 does not go with the default of -eq_snes_type: leave it out, or give -eq_snes_type "
            "picard");
  EXPECT_EQ(said_of({{"flow_ts_rtol", "1e-3"}}),
            "-flow_ts_rtol 1e-3 does not go with -method gradient: leave it out, or give -method flow");
}

TEST(OptionRules, OneConditionIsEnoughAndAllRulesAreAsked) {
  EXPECT_EQ(said_of({{"momentum", "0.5"}, {"method", "nesterov"}}), "");
  EXPECT_EQ(said_of({{"epochs", "2"}, {"batch", "3"}}), "");
  EXPECT_EQ(said_of({{"activation", "tanh"}, {"objective", "feedforward"}}), "");
  EXPECT_EQ(said_of({{"eq_alpha", "2"}, {"eq_snes_type", "picard"}}), "");
  EXPECT_EQ(said_of({{"flow_ts_rtol", "1e-3"}, {"method", "flow"}}), "");
  EXPECT_EQ(said_of({{"flow_own", "true"}}), "");
  const std::string both = said_of({{"momentum", "0.5"}, {"epochs", "2"}});
  EXPECT_NE(both.find("-momentum 0.5"), std::string::npos);
  EXPECT_NE(both.find("; -epochs 2"), std::string::npos);
}

TEST(OptionRules, DefaultsAndWhatAStoredRunRecordedPass) {
  EXPECT_EQ(said_of({{"momentum", "0.90"}, {"epochs", "0"}, {"activation", "identity"}}), "");
  EXPECT_EQ(said_of({{"momentum", "0.5"}}, {"momentum"}), "");
  EXPECT_NE(said_of({{"momentum", "0.5"}}, {"epochs"}), "");
}

TEST(OptionRules, WhatIsDeclaredWithinAConditionIsRefusedElsewhere) {
  const auto said = [](const testing_support::OptionList& list) {
    const GivenOptions given(list);
    Options options;
    (void)options.text("model", "linear", "");
    {
      const Options::OnlyWith only(options, {"model", {"sine", "cosine"}});
      (void)options.real("frequency", 1.0, {0, 10}, "");
    }
    (void)options.real("gamma", 0.8, {0, 1}, "");
    try {
      require_effect(options, {});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(said({{"frequency", "2"}}),
            "-frequency 2 does not go with -model linear: leave it out, or give -model sine or cosine");
  EXPECT_EQ(said({{"frequency", "2"}, {"model", "cosine"}, {"gamma", "0.5"}}), "");
  EXPECT_EQ(said({{"frequency", "1.0"}, {"gamma", "0.5"}}), "");
}

TEST(OptionRules, LookingDoesNotMakeAMisspeltOptionUsed) {
  const GivenOptions given(testing_support::OptionList{{"gama", "0.5"}});
  Options options;
  (void)options.real("gamma", 0.8, {0, 1}, "");
  require_effect(options, rules);
  EXPECT_THROW(options.reject_unknown(), Error);
}

}  // namespace
}  // namespace poise
