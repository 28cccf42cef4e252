#include "poise/petsc/shell_preconditioner.hpp"

#include "poise/base/check.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {

void set_shell_preconditioner(PC pc, const LinearMap& apply) {
  check(PCSetType(pc, PCSHELL));
  check(PCShellSetContext(pc, const_cast<LinearMap*>(&apply)));  // the C interface has no const
  check(PCShellSetApply(
      pc, +[](PC self, Vec x, Vec y) -> PetscErrorCode {
        return guarded([&] {
          void* context = nullptr;
          check(PCShellGetContext(self, &context));
          const ReadArray in(x);
          WriteArray out(y);
          (*static_cast<const LinearMap*>(context))(in.data(), out.data());
        });
      }));
}

}  // namespace poise
