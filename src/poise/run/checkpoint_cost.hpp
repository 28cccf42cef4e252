#pragma once

#include "poise/base/process_grid.hpp"

namespace poise {

/// What checkpoints cost of the time of a run, by one rank's clock. Times are seconds since the run started.
class CheckpointCost {
 public:
  /// The most that checkpoints take of a run unless the user says how often to write them.
  static constexpr double most_share = 0.05;

  /// Whether one more, which takes as long as the last one, keeps them all within the share.
  [[nodiscard]] bool affords(double now) const { return seconds_ + last_ <= most_share * (now + last_); }
  void add(double seconds) {
    ++written_;
    last_ = seconds;
    seconds_ += seconds;
  }
  void leave_out() { ++left_out_; }

  [[nodiscard]] Index written() const { return written_; }
  [[nodiscard]] Index left_out() const { return left_out_; }
  [[nodiscard]] double seconds() const { return seconds_; }

 private:
  Index written_ = 0, left_out_ = 0;
  double seconds_ = 0.0, last_ = 0.0;
};

}  // namespace poise
