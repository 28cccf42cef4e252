#pragma once

#include "poise/base/log_event.hpp"

namespace poise {

/// The stages of a training for -log_view. Made together, so that all ranks know them by the same numbers.
struct Stages {
  LogStage setup{"Setup"};
  LogStage training{"Training"};
  LogStage recording{"Recording"};  ///< what the history says of a step, and the flush of run.h5
  LogStage audit{"Audit"};
  LogStage checkpoints{"Checkpoint I/O"};

  static const Stages& get() {
    static const Stages stages;
    return stages;
  }
};

}  // namespace poise
