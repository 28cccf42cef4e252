#include "poise_train/stop_request.hpp"

#include <csignal>
#include <initializer_list>

namespace poise {
namespace {

volatile std::sig_atomic_t requested = 0;

}  // namespace

void listen_for_stop_requests() {
  for (const int signal : {SIGUSR1, SIGTERM})
    std::signal(
        signal, +[](int) { requested = 1; });
}

bool stop_requested() {
  return requested != 0;
}

}  // namespace poise
