#include "poise/run/interruptions.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <string>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/error.hpp"
#include "poise/base/output.hpp"

namespace poise {
inline namespace run {
namespace {

std::atomic<bool> asked_to_stop = false, asked_for_checkpoint = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a handler may use it");

void listen(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART | flags;  // a signal does not interrupt a read or write
  sigaction(signal, &action, nullptr);
}

}  // namespace

void listen_for_requests() {
  const auto ask_to_stop = +[](int) { asked_to_stop = true; };
  for (const int signal : {SIGTERM, SIGUSR1, SIGXCPU}) listen(signal, ask_to_stop, 0);
  struct sigaction before {};
  if (sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN)  // nohup ignores HUP
    listen(SIGHUP, ask_to_stop, 0);
  std::signal(SIGXFSZ, SIG_IGN);              // the write that exceeds the file size limit reports it
  listen(SIGINT, ask_to_stop, SA_RESETHAND);  // the second INT has the default action: the program ends
  listen(
      SIGUSR2, +[](int) { asked_for_checkpoint = true; }, 0);
}

bool stop_requested() {
  return asked_to_stop;
}

bool checkpoint_requested() {
  return asked_for_checkpoint.exchange(false);
}

namespace {

constexpr double never = std::numeric_limits<double>::infinity();
// The last step and its checkpoint must fit into the margin; the margin must be a small part of a short job.
constexpr double largest_margin = 60.0;
constexpr double margin_share = 0.1;

/// Seconds until the announced end of the SLURM job minus a margin.
double seconds_to_end_of_job() {
  const char* text = std::getenv("SLURM_JOB_END_TIME");
  if (text == nullptr || *text == '\0') return never;
  const char* end = text + std::strlen(text);
  long long epoch = 0;
  const auto [stop, code] = std::from_chars(text, end, epoch);
  if (code != std::errc() || stop != end)
    throw bad_input(std::string("SLURM_JOB_END_TIME is '") + text +
                    "', not the seconds since 1970 at which the job ends; unset it, or give -deadline");
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  const double left = static_cast<double>(epoch) - now.count();
  if (left > 0.0) return left - std::min(largest_margin, margin_share * left);
  warn("SLURM_JOB_END_TIME has already passed, so the run has no deadline; give -deadline");
  return never;
}

}  // namespace

double seconds_to_deadline(double deadline) {
  return deadline > 0.0 ? deadline : seconds_to_end_of_job();
}

Interruptions::Interruptions(MPI_Comm comm, double deadline, double checkpoint_seconds)
    : comm_(comm),
      deadline_(never),
      checkpoint_seconds_(checkpoint_seconds > 0.0 ? checkpoint_seconds : never),
      last_saved_(steady_seconds()),
      last_poll_(never) {
  on_root(comm_, [&] { deadline_ = steady_seconds() + seconds_to_deadline(deadline); });
}

Interruptions::Request Interruptions::poll() {
  const double now = steady_seconds();
  if (last_poll_ < never) longest_step_ = std::max(longest_step_, now - last_poll_);
  last_poll_ = now;
  const bool save = checkpoint_requested() || now - last_saved_ >= checkpoint_seconds_;
  int asked[3] = {stop_requested() ? 1 : 0, now + longest_step_ >= deadline_ ? 1 : 0, save ? 1 : 0};
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, asked, 3, MPI_INT, MPI_MAX, comm_));
  const Stop stop = asked[0] != 0 ? Stop::signal : asked[1] != 0 ? Stop::deadline : Stop::no;
  return {stop, asked[2] != 0};
}

void Interruptions::saved() {
  last_saved_ = steady_seconds();
}

}  // namespace run
}  // namespace poise
