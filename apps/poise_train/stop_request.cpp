#include "poise_train/stop_request.hpp"

#include <csignal>

#include "poise/base/check.hpp"

namespace poise {
namespace {

volatile std::sig_atomic_t requested = 0;

}  // namespace

void listen_for_stop_requests() {
  for (const int signal : {SIGUSR1, SIGTERM})
    std::signal(
        signal, +[](int) { requested = 1; });
}

bool stop_requested(MPI_Comm comm) {
  int any = requested;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &any, 1, MPI_INT, MPI_MAX, comm));
  return any != 0;
}

}  // namespace poise
