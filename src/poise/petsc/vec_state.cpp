#include "poise/petsc/vec_state.hpp"

#include <petsc/private/petscimpl.h>  // PetscObjectStateGet

#include "poise/base/check.hpp"

namespace poise {
inline namespace petsc {

bool VecState::matches(Vec vec) const {
  VecState now;
  now.remember(vec);
  return now.id_ == id_ && now.state_ == state_;
}

void VecState::remember(Vec vec) {
  auto* const object = reinterpret_cast<PetscObject>(vec);
  check(PetscObjectGetId(object, &id_));
  check(PetscObjectStateGet(object, &state_));
}

}  // namespace petsc
}  // namespace poise
