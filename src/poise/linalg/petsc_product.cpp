#include "poise/linalg/petsc_product.hpp"

#include <petscmat.h>

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/petsc_versions.hpp"

namespace poise {
inline namespace linalg {
namespace {

void create(MatHandle& mat, Index rows, Index columns, const std::string& type) {
  const auto m = static_cast<PetscInt>(rows);
  const auto n = static_cast<PetscInt>(columns);
  check(MatCreate(PETSC_COMM_SELF, mat.out()));
  check(MatSetSizes(mat.get(), m, n, m, n));
  check(MatSetType(mat.get(), type.c_str()));
  MatType made = nullptr;
  check(MatGetType(mat.get(), &made));
  if (made == nullptr || std::string(made).find("dense") == std::string::npos)
    throw Error(ExitCode::bad_input, "-mat_type: the weights are dense; use dense, densecuda or densehip",
                true);
  check(MatSetUp(mat.get()));
}

void fill(Mat mat, Index size, const double* values) {
  PetscScalar* array = nullptr;
  check(MatDenseGetArrayWrite(mat, &array));
  std::copy_n(values, size, array);
  check(MatDenseRestoreArrayWrite(mat, &array));
  check(MatAssemblyBegin(mat, MAT_FINAL_ASSEMBLY));
  check(MatAssemblyEnd(mat, MAT_FINAL_ASSEMBLY));
}

}  // namespace

PetscProduct::PetscProduct(Index rows, Index columns, const std::string& type)
    : rows_(rows), columns_(columns), type_(type) {
  create(transpose_, columns, rows, type_);
}

void PetscProduct::multiply(bool transposed, const double* entries, bool changed, Index p, const double* x,
                            double* y) {
  if (changed) fill(transpose_.get(), rows_ * columns_, entries);
  const Index in = transposed ? rows_ : columns_;
  const Index out = transposed ? columns_ : rows_;
  Blocks& blocks = blocks_[{transposed, p}];
  if (!blocks.x) create(blocks.x, in, p, type_);
  fill(blocks.x.get(), in * p, x);
  const bool first = !blocks.y;
  Mat product = blocks.y.get();
  const auto multiply = transposed ? MatMatMult : MatTransposeMatMult;
  check(multiply(transpose_.get(), blocks.x.get(), first ? MAT_INITIAL_MATRIX : MAT_REUSE_MATRIX,
                 petsc_chosen, first ? blocks.y.out() : &product));
  const PetscScalar* array = nullptr;
  check(MatDenseGetArrayRead(blocks.y.get(), &array));
  std::copy_n(array, out * p, y);
  check(MatDenseRestoreArrayRead(blocks.y.get(), &array));
}

}  // namespace linalg
}  // namespace poise
