#include <gtest/gtest.h>

#include "poise/run/interruptions.hpp"

namespace poise {
namespace {

TEST(CheckpointCost, TheFirstOneIsAlwaysAffordable) {
  EXPECT_TRUE(CheckpointCost().affords(0.0));
}

TEST(CheckpointCost, TheNextCheckpointMustKeepTheCostWithinTheShare) {
  CheckpointCost cost;
  cost.add(1.0);
  // After the second one, 2 s of now + 1 s.
  EXPECT_FALSE(cost.affords(38.9));
  EXPECT_TRUE(cost.affords(39.1));
  cost.add(3.0);  // the estimate for the next checkpoint
  EXPECT_FALSE(cost.affords(136.9));
  EXPECT_TRUE(cost.affords(137.1));
}

TEST(CheckpointCost, ARunOfCheapStepsSpendsAtMostItsShare) {
  CheckpointCost cost;
  const double checkpoint = 0.25,
               steps = 0.1;  // seconds of a checkpoint, and between two scheduled checkpoints
  double now = 0.0;
  for (int k = 0; k < 10000; ++k) {
    if (cost.affords(now)) {
      cost.add(checkpoint);
      now += checkpoint;
      if (k > 0) {
        EXPECT_LE(cost.seconds(), CheckpointCost::most_share * now * (1.0 + 1e-12));
      }
    } else {
      cost.leave_out();
    }
    now += steps;
  }
  EXPECT_EQ(cost.written() + cost.left_out(), 10000);
  EXPECT_GT(cost.seconds(), 0.9 * CheckpointCost::most_share * now);  // enough checkpoints are written
}

TEST(CheckpointCost, CheckpointsThatCostLittleAreAllWritten) {
  CheckpointCost cost;
  double now = 0.0;
  for (int k = 0; k < 100; ++k, now += 10.0) {
    EXPECT_TRUE(cost.affords(now));
    cost.add(0.2);
  }
  EXPECT_EQ(cost.left_out(), 0);
}

}  // namespace
}  // namespace poise
