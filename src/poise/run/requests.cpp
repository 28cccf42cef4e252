#include "poise/run/requests.hpp"

#include <atomic>
#include <csignal>
#include <initializer_list>

namespace poise {
namespace {

std::atomic<bool> stop = false, checkpoint = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a handler may use it");

void listen(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART | flags;  // a read or write that is under way goes on
  sigaction(signal, &action, nullptr);
}

}  // namespace

void listen_for_requests() {
  const auto ask_to_stop = +[](int) { stop = true; };
  for (const int signal : {SIGTERM, SIGUSR1, SIGXCPU}) listen(signal, ask_to_stop, 0);
  struct sigaction before {};
  if (sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN)  // as nohup does
    listen(SIGHUP, ask_to_stop, 0);
  std::signal(SIGXFSZ, SIG_IGN);              // a limit of file sizes: the write that meets it says so
  listen(SIGINT, ask_to_stop, SA_RESETHAND);  // the second one finds the default: the end
  listen(
      SIGUSR2, +[](int) { checkpoint = true; }, 0);
}

bool stop_requested() {
  return stop;
}

bool checkpoint_requested() {
  return checkpoint.exchange(false);
}

}  // namespace poise
