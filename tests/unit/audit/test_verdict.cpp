#include <gtest/gtest.h>

#include <cmath>

#include "poise/audit/verdict.hpp"

namespace poise {
namespace {

const double nan = std::nan("");

TEST(Worst, KeepsThePointThatIsNearestToFailing) {
  Worst worst;
  worst.add(1e-3, 1.0, 1, "a");
  worst.add(1e-6, 1e-5, 2, "b");  // a tenth of the requirement
  worst.add(0.05, 1.0, 3, "c");
  const Row row = worst.row("id", "claim", "5");
  EXPECT_EQ(row.state, RowState::held);
  EXPECT_EQ(row.step, 2);
  EXPECT_EQ(row.file, "b");
  EXPECT_EQ(row.measured, 1e-6);
  EXPECT_EQ(row.required, 1e-5);
}

TEST(Worst, OfALowerBoundIsTheSmallestRatio) {
  Worst worst(">=");
  worst.add(4.0, 2.0, 1);
  worst.add(1.0, 2.0, 2);
  worst.add(3.0, 2.0, 3);
  const Row row = worst.row("id", "claim", "5");
  EXPECT_EQ(row.state, RowState::not_held);
  EXPECT_EQ(row.step, 2);
}

TEST(Worst, NotANumberFailsWhereverItStands) {
  for (const char* relation : {"<=", ">="}) {
    for (int place = 0; place < 3; ++place) {
      Worst worst(relation);
      for (int k = 0; k < 3; ++k) worst.add(k == place ? nan : 1.0, 1.0, k);
      EXPECT_EQ(worst.row("id", "claim", "5").state, RowState::not_held) << relation << place;
      EXPECT_EQ(worst.row("id", "claim", "5").step, place);
      Worst required(relation);
      required.add(0.0, nan, 0);
      EXPECT_EQ(required.row("id", "claim", "5").state, RowState::not_held);
    }
  }
}

TEST(Worst, AnythingAboveZeroFailsWhereZeroIsRequired) {
  Worst worst;
  worst.add(0.0, 0.0, 1);
  EXPECT_EQ(worst.row("id", "claim", "5").state, RowState::held);
  worst.add(1e-300, 0.0, 2);
  EXPECT_EQ(worst.row("id", "claim", "5").state, RowState::not_held);
  EXPECT_EQ(worst.row("id", "claim", "5").step, 2);
}

TEST(Worst, TheFirstFailureStaysWhereOthersFollowFromIt) {
  Worst worst("<=", true);
  worst.add(0.5, 1.0, 1);
  worst.add(2.0, 1.0, 2);
  worst.add(100.0, 1.0, 3);
  EXPECT_EQ(worst.row("id", "claim", "5").step, 2);
}

TEST(Worst, WithoutPointsDoesNotApplyAndSaysWhy) {
  const Row row = Worst().row("id", "claim", "5", "no reason");
  EXPECT_EQ(row.state, RowState::does_not_apply);
  EXPECT_EQ(row.note, "no reason");
}

VerdictTable example() {
  VerdictTable table;
  Worst good, bad;
  good.add(1.0, 2.0, 7, "step-7.h5");
  table.add(good.row("good", "what holds", "4.2"));
  table.add(does_not_apply("idle", "what says nothing", "5", "no theorem"));
  bad.add(3.0, 2.0, 9, "step-9.h5");
  table.add(bad.row("bad", "what \"fails\"\\", ""));
  return table;
}

TEST(VerdictTable, NamesWhatFailedAndWhere) {
  const VerdictTable table = example();
  EXPECT_FALSE(table.held());
  EXPECT_EQ(table.verdict(), "verdict: NOT held: bad (what \"fails\"\\); first at step 9 (step-9.h5)");
  const std::string text = table.text();
  for (const char* words :
       {"what holds (4.2)", "<= 2", "does not apply: no theorem", "NO: step 9 (step-9.h5)"})
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
}

TEST(VerdictTable, CountsWhatHeld) {
  VerdictTable table = example();
  table.rows().pop_back();
  Row seen = table.rows().front();
  seen.state = RowState::observed;
  table.add(seen);
  EXPECT_TRUE(table.held());
  EXPECT_EQ(table.verdict(), "verdict: all 1 rows held (1 do not apply, 1 observed)");
}

TEST(Json, QuotesTextsAndHasNullForNumbersThatAreNotFinite) {
  AuditFacts facts;
  facts.run = "a \"run\"\n";
  VerdictTable table = example();
  table.rows()[0].measured = std::numeric_limits<double>::infinity();
  const std::string text = to_json(table, facts);
  for (const char* words :
       {"\"run\": \"a \\\"run\\\"\\n\"", "\"claim\": \"what \\\"fails\\\"\\\\\"", "\"held\": false",
        "\"measured\": null", "\"state\": \"does not apply\"", "\"step\": 9", "\"item\": null"})
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
  for (const char* words : {"inf", "nan"}) EXPECT_EQ(text.find(words), std::string::npos) << words;
}

/// E = exp(−rate t) under a flow with λ_min = 1 and κ_t = 2.
RateSamples decay(double rate) {
  RateSamples samples;
  for (int k = 0; k < 20; ++k) {
    const double t = 0.1 * k;
    const double excess = std::exp(-rate * t);
    samples.add(
        {.step = k, .t = t, .loss = excess, .excess = excess, .grad_norm2 = 2.0 * excess, .lambda_min = 1.0},
        "step" + std::to_string(k));
  }
  return samples;
}

TEST(RateSamples, EitherBoundIsJudgedForItself) {
  const auto state = [](double rate, double kappa, bool integrated) {
    return decay(rate).judge({.id = "", .claim = "", .item = ""}, {.kappa = kappa}, integrated).state;
  };
  EXPECT_EQ(state(2.01, 1.0, false), RowState::held);
  EXPECT_EQ(state(2.01, 1.0, true), RowState::held);
  EXPECT_EQ(state(1.5, 1.0, false), RowState::held);
  EXPECT_EQ(state(1.5, 1.0, true), RowState::not_held);    // κ_t is 2
  EXPECT_EQ(state(2.01, 3.0, false), RowState::not_held);  // that κ is too large
  EXPECT_EQ(state(2.01, 3.0, true), RowState::held);
  EXPECT_EQ(decay(2.0).smallest_kappa(), 2.0);
}

TEST(RateSamples, AViolationNamesItsFirstStep) {
  const Row row = decay(1.5).judge({.id = "", .claim = "", .item = ""}, {.kappa = 2.0}, false);
  EXPECT_EQ(row.step, 1);
  EXPECT_EQ(row.file, "step1");
  EXPECT_GT(row.measured, 1.0);
  EXPECT_NE(row.note.find("above the bound"), std::string::npos);
}

TEST(RateSamples, TimesThatGoBackAreNoRate) {
  RateSamples samples = decay(3.0);
  samples.add({.step = 20, .t = 0.05, .excess = 1e-9, .grad_norm2 = 2e-9, .lambda_min = 1.0}, "late");
  const Row row = samples.judge({.id = "", .claim = "", .item = ""}, {.kappa = 2.0}, false);
  EXPECT_EQ(row.state, RowState::not_held);
  EXPECT_EQ(row.file, "late");
}

}  // namespace
}  // namespace poise
