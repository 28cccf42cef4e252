#include "poise/petsc/shell_operator.hpp"

#include "poise/base/check.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
inline namespace petsc {
namespace {

PetscErrorCode multiply_with(const LinearMap& map, Vec x, Vec y) {
  return guarded([&] {
    const ReadArray in(x);
    WriteArray out(y);
    map(in.data(), out.data());
  });
}

}  // namespace

ShellOperator::ShellOperator(MPI_Comm comm, Index local_size, LinearMap apply, LinearMap apply_transpose)
    : maps_(std::make_unique<Maps>(Maps{std::move(apply), std::move(apply_transpose)})) {
  const auto rows = static_cast<PetscInt>(local_size);
  check(MatCreateShell(comm, rows, rows, PETSC_DETERMINE, PETSC_DETERMINE, maps_.get(), mat_.out()));
  const auto multiply = +[](Mat mat, Vec x, Vec y) -> PetscErrorCode {
    Maps* maps = nullptr;
    if (const PetscErrorCode code = MatShellGetContext(mat, &maps); code != 0) return code;
    return multiply_with(maps->apply, x, y);
  };
  const auto multiply_transpose = +[](Mat mat, Vec x, Vec y) -> PetscErrorCode {
    Maps* maps = nullptr;
    if (const PetscErrorCode code = MatShellGetContext(mat, &maps); code != 0) return code;
    return multiply_with(maps->apply_transpose, x, y);
  };
  check(MatShellSetOperation(mat_.get(), MATOP_MULT, reinterpret_cast<ShellFunction>(multiply)));
  if (maps_->apply_transpose)
    check(MatShellSetOperation(mat_.get(), MATOP_MULT_TRANSPOSE,
                               reinterpret_cast<ShellFunction>(multiply_transpose)));
}

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

}  // namespace petsc
}  // namespace poise
