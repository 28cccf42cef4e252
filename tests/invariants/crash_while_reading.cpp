// crash_while_reading HOW RANK: the rank crashes as HDF5 may crash when it reads a damaged file, while the
// other ranks wait.
#include <mpi.h>

#include <cstdlib>
#include <string>

#include "poise/io/hdf5_untrusted.hpp"
#include "poise/petsc/session.hpp"

namespace {

/// Fills the stack.
int recurse(int depth) {
  volatile char frame[4096];
  frame[depth % 4096] = 1;
  return depth < 0 ? 0 : recurse(depth + 1) + frame[depth % 4096];
}

void crash(const std::string& how) {
  const std::string path = "the-file.h5";
  const poise::CrashGuard guard(path, 1);
  volatile int* nowhere = nullptr;
  if (how == "segv") *nowhere = 1;
  if (how == "abort") std::abort();  // the C library aborts when it finds its heap damaged
  if (how == "stack") (void)recurse(0);
  for (volatile bool again = how == "loop"; again;) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string how = argc > 1 ? argv[1] : "";
  const int crashing = argc > 2 ? std::atoi(argv[2]) : 0;
  const poise::Session session(1, argv);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (rank == crashing) crash(how);
  MPI_Barrier(MPI_COMM_WORLD);
  return 0;
}
