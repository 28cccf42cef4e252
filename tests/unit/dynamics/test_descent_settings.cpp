#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/dynamics/update_rule.hpp"
#include "support/given_options.hpp"

namespace poise {
namespace {

using testing_support::GivenOptions;
using Schedule = DescentSettings::Schedule;

DescentSettings scheduled(Schedule schedule, Index warmup, double factor, Index every = 1000) {
  DescentSettings settings;
  settings.schedule = schedule;
  settings.schedule_warmup = warmup;
  settings.schedule_factor = factor;
  settings.schedule_every = every;
  return settings;
}

TEST(DescentSettingsTest, AConstantScheduleIsOneAtEveryStep) {
  const DescentSettings settings;
  EXPECT_TRUE(settings.is_constant());
  for (const Index k : {0, 1, 500, 1000, 2000}) EXPECT_EQ(settings.schedule_at(k, 1000), 1.0);
}

TEST(DescentSettingsTest, WarmupGrowsLinearlyToOneFromAStepThatIsNotZero) {
  for (const auto schedule : {Schedule::constant, Schedule::cosine, Schedule::step, Schedule::linear}) {
    const DescentSettings settings = scheduled(schedule, 4, 0.5);
    EXPECT_FALSE(settings.is_constant());
    EXPECT_EQ(settings.schedule_at(0, 104), 0.25);
    EXPECT_EQ(settings.schedule_at(1, 104), 0.5);
    EXPECT_EQ(settings.schedule_at(3, 104), 1.0);
    EXPECT_EQ(settings.schedule_at(4, 104), 1.0);
  }
}

TEST(DescentSettingsTest, TheCosineGoesFromOneToTheFactor) {
  const DescentSettings settings = scheduled(Schedule::cosine, 4, 0.2);
  EXPECT_NEAR(settings.schedule_at(29, 104), 0.2 + 0.8 * 0.5 * (1.0 + std::sqrt(0.5)), 1e-15);
  EXPECT_NEAR(settings.schedule_at(54, 104), 0.6, 1e-15);
  EXPECT_NEAR(settings.schedule_at(104, 104), 0.2, 1e-15);
  EXPECT_NEAR(settings.schedule_at(400, 104), 0.2, 1e-15);
}

TEST(DescentSettingsTest, TheLineGoesFromOneToTheFactor) {
  const DescentSettings settings = scheduled(Schedule::linear, 4, 0.2);
  EXPECT_NEAR(settings.schedule_at(29, 104), 0.8, 1e-15);
  EXPECT_NEAR(settings.schedule_at(54, 104), 0.6, 1e-15);
  EXPECT_NEAR(settings.schedule_at(104, 104), 0.2, 1e-15);
}

TEST(DescentSettingsTest, StepsMultiplyByTheFactorEverySoOften) {
  const DescentSettings settings = scheduled(Schedule::step, 0, 0.5, 10);
  EXPECT_EQ(settings.schedule_at(9, 100), 1.0);
  EXPECT_EQ(settings.schedule_at(10, 100), 0.5);
  EXPECT_EQ(settings.schedule_at(19, 100), 0.5);
  EXPECT_EQ(settings.schedule_at(30, 100), 0.125);
}

TEST(DescentSettingsTest, OptionsStartAtTheDefaultsOfTheStruct) {
  Options options;
  const DescentSettings read = DescentSettings::from(options);
  const DescentSettings initial;
  EXPECT_EQ(read.method, initial.method);
  EXPECT_EQ(read.step_size, 0.02);
  EXPECT_EQ(read.momentum, initial.momentum);
  EXPECT_EQ(read.beta1, initial.beta1);
  EXPECT_EQ(read.beta2, initial.beta2);
  EXPECT_EQ(read.epsilon, initial.epsilon);
  EXPECT_EQ(read.weight_decay, 0.0);
  EXPECT_EQ(read.clip, 0.0);
  EXPECT_TRUE(read.is_constant());
  EXPECT_EQ(read.schedule_every, initial.schedule_every);
  EXPECT_EQ(read.schedule_factor, initial.schedule_factor);
  EXPECT_FALSE(read.backtrack);
}

TEST(DescentSettingsTest, OptionsAreRead) {
  const GivenOptions given({{"step_size", "0.5"},
                            {"method", "adam"},
                            {"momentum", "0.8"},
                            {"adam_beta1", "0.7"},
                            {"adam_beta2", "0.6"},
                            {"adam_epsilon", "1e-3"},
                            {"weight_decay", "0.1"},
                            {"clip", "2"},
                            {"schedule", "step"},
                            {"schedule_warmup", "3"},
                            {"schedule_every", "7"},
                            {"schedule_factor", "0.25"},
                            {"on_failure", "backtrack"}});
  Options options;
  const DescentSettings read = DescentSettings::from(options);
  EXPECT_EQ(read.step_size, 0.5);
  EXPECT_EQ(read.method, DescentSettings::Method::adam);
  EXPECT_EQ(read.momentum, 0.8);
  EXPECT_EQ(read.beta1, 0.7);
  EXPECT_EQ(read.beta2, 0.6);
  EXPECT_EQ(read.epsilon, 1e-3);
  EXPECT_EQ(read.weight_decay, 0.1);
  EXPECT_EQ(read.clip, 2.0);
  EXPECT_EQ(read.schedule, Schedule::step);
  EXPECT_EQ(read.schedule_warmup, 3);
  EXPECT_EQ(read.schedule_every, 7);
  EXPECT_EQ(read.schedule_factor, 0.25);
  EXPECT_TRUE(read.backtrack);
}

TEST(DescentSettingsTest, ValuesOutOfRangeAreBadInputThatNamesTheOption) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"step_size", "0"},      {"method", "sgd"},         {"momentum", "1"},       {"adam_beta1", "1"},
      {"adam_beta2", "-0.1"},  {"adam_epsilon", "0"},     {"weight_decay", "-1"},  {"clip", "-1"},
      {"schedule", "never"},   {"schedule_warmup", "-1"}, {"schedule_every", "0"}, {"schedule_factor", "2"},
      {"on_failure", "ignore"}};
  for (const auto& option : wrong) {
    const GivenOptions given(testing_support::OptionList{option});
    Options options;
    try {
      (void)DescentSettings::from(options);
      ADD_FAILURE() << option.first << " took " << option.second;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_NE(std::string(error.what()).find("-" + option.first), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace poise
