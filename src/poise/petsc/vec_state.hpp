#pragma once

#include <petscvec.h>

namespace poise {
inline namespace petsc {

/// Remembers a Vec and the state of its entries, so that a result that was computed from it need not be
/// computed again. Every write access to a Vec changes its state. Not collective.
class VecState {
 public:
  /// Whether `vec` is the Vec that was remembered, and has not changed since.
  [[nodiscard]] bool matches(Vec vec) const;
  void remember(Vec vec);
  void forget() { state_ = -1; }

 private:
  PetscObjectId id_ = 0;
  PetscObjectState state_ = -1;
};

}  // namespace petsc
}  // namespace poise
