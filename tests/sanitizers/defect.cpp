// One defect of each kind, made on purpose: a tool that does not report this defect proves nothing when it
// reports none in Poise.
//   poise-defect KIND
#include <petscvec.h>

#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/petsc/session.hpp"

namespace {

/// A value that the compiler does not know; otherwise it would warn of the defect or remove it.
volatile int length = 8;
void* volatile kept = nullptr;

void read_outside() {
  const std::vector<double> values(static_cast<std::size_t>(length));
  std::printf("%g\n", values.data()[length]);
}

void use_after_free() {
  const double* freed = nullptr;
  {
    const std::vector<double> values(static_cast<std::size_t>(length));
    freed = values.data();
  }
  std::printf("%g\n", freed[0]);
}

void read_outside_of_a_vec() {
  Vec vec = nullptr;
  poise::check(VecCreateSeq(PETSC_COMM_SELF, length, &vec));
  const double* values = nullptr;
  poise::check(VecGetArrayRead(vec, &values));
  std::printf("%g\n", values[length]);
}

void branch_on_uninitialised() {
  double* values = new double[static_cast<std::size_t>(length)];
  if (values[1] > 0) std::printf("positive\n");
  delete[] values;
}

void index_outside() {
  const std::vector<double> values(static_cast<std::size_t>(length));
  std::printf("%g\n", values[static_cast<std::size_t>(length)]);
}

void integer_overflow() {
  std::printf("%d\n", length + std::numeric_limits<int>::max());
}

void real_too_large_for_an_integer() {
  std::printf("%d\n", static_cast<int>(length * 1e10));
}

void leak() {
  kept = new std::vector<double>(static_cast<std::size_t>(length));
  kept = nullptr;
}

void leak_of_a_vec() {
  Vec vec = nullptr;
  poise::check(VecCreateMPI(PETSC_COMM_WORLD, length, PETSC_DETERMINE, &vec));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "";
  const poise::Session session(1, argv);
  if (kind == "none") return 0;
  if (kind == "read_outside") return read_outside(), 0;
  if (kind == "use_after_free") return use_after_free(), 0;
  if (kind == "read_outside_of_a_vec") return read_outside_of_a_vec(), 0;
  if (kind == "branch_on_uninitialised") return branch_on_uninitialised(), 0;
  if (kind == "index_outside") return index_outside(), 0;
  if (kind == "integer_overflow") return integer_overflow(), 0;
  if (kind == "real_too_large_for_an_integer") return real_too_large_for_an_integer(), 0;
  if (kind == "leak") return leak(), 0;
  if (kind == "leak_of_a_vec") return leak_of_a_vec(), 0;
  std::fprintf(stderr, "poise-defect: error: no defect is called '%s'\n", kind.c_str());
  return 2;
}
