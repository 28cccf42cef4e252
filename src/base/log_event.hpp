#pragma once

#include <petsclog.h>

#include "poise/base/check.hpp"

namespace poise {

/// A named phase for PETSc's -log_view. Usage: `static const LogEvent event("Equilibrium"); auto scope =
/// event.begin();`
class LogEvent {
 public:
  explicit LogEvent(const char* name) {
    static PetscClassId class_id = 0;
    if (class_id == 0) check(PetscClassIdRegister("Poise", &class_id));
    check(PetscLogEventRegister(name, class_id, &event_));
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
  PetscLogEvent event_ = 0;
};

}  // namespace poise
