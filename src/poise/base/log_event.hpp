#pragma once

#include <petsclog.h>

#include "poise/base/check.hpp"

namespace poise {

/// A named phase for PETSc's -log_view. Usage: `static const LogEvent event("Equilibrium"); auto scope =
/// event.begin();` Not collective, but PETSc knows events by the order in which they come up: where ranks
/// come to it in different order, or some of them never, make it in a constructor that all of them call.
class LogEvent {
 public:
  /// One of the same name is the same event.
  explicit LogEvent(const char* name) {
    static PetscClassId class_id = 0;
    if (class_id == 0) check(PetscClassIdRegister("Poise", &class_id));
    check(PetscLogEventGetId(name, &event_));
    if (event_ < 0) check(PetscLogEventRegister(name, class_id, &event_));
  }

  class Scope {
   public:
    explicit Scope(PetscLogEvent event) : event_(event) { (void)log_begin(); }
    ~Scope() { (void)log_end(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    PetscErrorCode log_begin() { return PetscLogEventBegin(event_, nullptr, nullptr, nullptr, nullptr); }
    PetscErrorCode log_end() { return PetscLogEventEnd(event_, nullptr, nullptr, nullptr, nullptr); }
    PetscLogEvent event_;
  };
  [[nodiscard]] Scope begin() const { return Scope(event_); }

 private:
  PetscLogEvent event_ = -1;
};

/// A part of a program for PETSc's -log_view, which lists every event by stage. Stages nest: the time of the
/// inner one does not count for the outer one, so that all together are the time of the program. What is said
/// of the order of events is true of stages.
class LogStage {
 public:
  /// One of the same name is the same stage.
  explicit LogStage(const char* name) {
    check(PetscLogStageGetId(name, &stage_));
    if (stage_ < 0) check(PetscLogStageRegister(name, &stage_));
  }

  class Scope {
   public:
    explicit Scope(PetscLogStage stage) { (void)PetscLogStagePush(stage); }
    ~Scope() { (void)PetscLogStagePop(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
  };
  [[nodiscard]] Scope begin() const { return Scope(stage_); }

 private:
  PetscLogStage stage_ = -1;
};

}  // namespace poise
