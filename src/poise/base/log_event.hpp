#pragma once

#include <petsclog.h>

#include "poise/base/check.hpp"

namespace poise {
inline namespace base {

/// A named phase for PETSc's -log_view. Usage: `static const LogEvent event("Equilibrium"); auto scope =
/// event.begin();` Not collective, but PETSc identifies events by the order in which they are created: if
/// ranks could create them in different order, or only on some ranks, create them in a constructor that all
/// ranks call.
class LogEvent {
 public:
  /// Objects with the same name are the same event.
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

/// A part of a program for PETSc's -log_view, which lists the events of every stage. Stages nest: the time of
/// an inner stage does not count for the outer stage, so that the times of all stages add up to the time of
/// the program. Like events, stages must be created in the same order on all ranks.
class LogStage {
 public:
  /// Objects with the same name are the same stage.
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

}  // namespace base
}  // namespace poise
