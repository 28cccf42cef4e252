#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "poise/run/interruptions.hpp"

namespace poise {
namespace {

void wait(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

TEST(Interruptions, TheDeadlineIsMetBeforeAStepThatWouldEndAfterIt) {
  Interruptions interruptions(MPI_COMM_WORLD, 4.0, 0.0);
  EXPECT_EQ(interruptions.poll().stop, Interruptions::Stop::no);  // no step has been timed yet
  wait(2.1);
  EXPECT_EQ(interruptions.poll().stop, Interruptions::Stop::deadline);
}

TEST(Interruptions, WithoutADeadlineStepsMayTakeTheirTime) {
  Interruptions interruptions(MPI_COMM_WORLD, 0.0, 0.0);
  EXPECT_EQ(interruptions.poll().stop, Interruptions::Stop::no);
  wait(0.1);
  EXPECT_EQ(interruptions.poll().stop, Interruptions::Stop::no);
}

}  // namespace
}  // namespace poise
