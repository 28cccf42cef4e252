#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
namespace {

int reference_count(Vec vec) {
  PetscInt count = 0;
  check(PetscObjectGetReference(reinterpret_cast<PetscObject>(vec), &count));
  return static_cast<int>(count);
}

int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

TEST(HandleTest, MovingPassesTheOnlyOwnershipOn) {
  VecHandle first = create_vec(MPI_COMM_WORLD, 3);
  Vec raw = first.get();
  check(PetscObjectReference(
      reinterpret_cast<PetscObject>(raw)));  // keeps the object alive, so that the test can count references
  EXPECT_EQ(reference_count(raw), 2);
  VecHandle second(std::move(first));
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): the test is about this
  EXPECT_EQ(second.get(), raw);
  EXPECT_EQ(reference_count(raw), 2);
  { const VecHandle gone(std::move(second)); }
  EXPECT_EQ(reference_count(raw), 1);
  check(VecDestroy(&raw));
}

TEST(ArrayGuards, WriteIsSeenByReadAndTheVecKnowsItChanged) {
  const VecHandle vec = create_vec(MPI_COMM_WORLD, 4);
  check(VecSet(vec.get(), 1.0));
  double before = 0.0;
  check(VecNorm(vec.get(), NORM_1,
                &before));  // PETSc caches the norm: a guard that does not restore would keep the old norm
  {
    WriteArray values(vec.get());
    values[2] = 5.0;
  }
  double after = 0.0;
  check(VecNorm(vec.get(), NORM_1, &after));
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  EXPECT_DOUBLE_EQ(after - before, 4.0 * size);
  EXPECT_EQ(ReadArray(vec.get())[2], 5.0);
}

TEST(Check, AFailedCallThrowsWithPetscsTrace) {
  const VecHandle vec = create_vec(MPI_COMM_WORLD, 2);
  try {
    check(VecSetType(vec.get(), "no_such_type"));
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::failed);
    EXPECT_NE(std::string(error.what()).find("no_such_type"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("VecSetType"), std::string::npos) << error.what();
  }
}

TEST(ShellOperatorTest, ProductsAreThoseOfTheFunctions) {
  const ShellOperator op(
      MPI_COMM_WORLD, 2,
      [](const double* x, double* y) {
        y[0] = x[0] + 2.0 * x[1];
        y[1] = 3.0 * x[1];
      },
      [](const double* x, double* y) {
        y[0] = x[0];
        y[1] = 2.0 * x[0] + 3.0 * x[1];
      });
  const VecHandle x = create_vec(MPI_COMM_WORLD, 2);
  const VecHandle y = duplicate(x.get());
  {
    WriteArray in(x.get());
    in[0] = 1.0;
    in[1] = 10.0;
  }
  check(MatMult(op.get(), x.get(), y.get()));
  EXPECT_EQ(ReadArray(y.get())[0], 21.0);
  EXPECT_EQ(ReadArray(y.get())[1], 30.0);
  check(MatMultTranspose(op.get(), x.get(), y.get()));
  EXPECT_EQ(ReadArray(y.get())[0], 1.0);
  EXPECT_EQ(ReadArray(y.get())[1], 32.0);
}

TEST(ShellOperatorTest, AnExceptionInAProductReachesTheCallerOfTheSolveAsItself) {
  struct Mine : std::runtime_error {
    using std::runtime_error::runtime_error;
  };
  int products = 0;
  const ShellOperator op(MPI_COMM_WORLD, 2, [&](const double* x, double* y) {
    if (++products == 3) throw Mine("third product");
    y[0] = 2.0 * x[0] + x[1];
    y[1] = x[1] - x[0] * (1 + world_rank());
  });
  const VecHandle b = create_vec(MPI_COMM_WORLD, 2);
  const VecHandle x = duplicate(b.get());
  check(VecSet(b.get(), 1.0));
  KspHandle ksp;
  check(KSPCreate(MPI_COMM_WORLD, ksp.out()));
  check(KSPSetOperators(ksp.get(), op.get(), op.get()));
  check(KSPSetType(ksp.get(), KSPRICHARDSON));
  check(KSPSetTolerances(ksp.get(), 1e-14, 1e-50, 1e50, 10));
  PC pc = nullptr;
  check(KSPGetPC(ksp.get(), &pc));
  check(PCSetType(pc, PCNONE));
  EXPECT_THROW(check(KSPSolve(ksp.get(), b.get(), x.get())), Mine);
  // The next failure has its own message.
  EXPECT_THROW(check(VecSetType(x.get(), "no_such_type")), Error);
}

TEST(RequireFinite, ANotANumberOnOneRankIsAnErrorOnAll) {
  const VecHandle vec = create_vec(MPI_COMM_WORLD, 2);
  check(VecSet(vec.get(), 1.0));
  EXPECT_NO_THROW(require_finite(vec.get(), "the gradient"));
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    check(VecSet(vec.get(), 1.0));
    {
      WriteArray values(vec.get());
      if (world_rank() == 0) values[1] = bad;
    }
    EXPECT_THROW(require_finite(vec.get(), "the gradient"), Error);
  }
}

}  // namespace
}  // namespace poise
