#include "poise/io/crash_guard.hpp"

#include <mpi.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

#include "poise/base/error.hpp"

namespace poise {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISE_ADDRESS_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define POISE_ADDRESS_SANITIZER
#endif
#if defined(POISE_ADDRESS_SANITIZER)
constexpr bool active = false;
#else
constexpr bool active = true;
#endif

constexpr std::array<int, 6> signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGVTALRM};
std::array<struct sigaction, signals.size()> before;
stack_t stack_before;
std::array<char, std::size_t{1} << 16> stack_of_handler;  // the crash may be that the stack is full
const char* guarded_path = "";

/// In one piece, so that no other rank's output comes between; only what a handler may call.
void report(const char* problem) {
  static std::array<char, 8192> text;
  std::size_t length = 0;
  for (const char* part :
       {"poise: error: file '", guarded_path, problem, ": it is damaged; remove it, or make it again\n"}) {
    const std::size_t size = std::min(std::strlen(part), text.size() - length);
    std::memcpy(text.data() + length, part, size);
    length += size;
  }
  (void)!::write(STDERR_FILENO, text.data(), length);
}

void set_timer(int seconds) {
  const itimerval timer{{0, 0}, {seconds, 0}};
  ::setitimer(ITIMER_VIRTUAL, &timer, nullptr);
}

/// The handler. Nothing can be saved any more: HDF5, the heap and MPI may be in any state. So the end comes
/// by the alarm if MPI_Abort does not return.
void end_program(int signal) {
  for (const int s : signals) std::signal(s, SIG_DFL);
  report(signal == SIGVTALRM ? "' makes HDF5 loop for ever" : "' makes HDF5 crash");
  std::signal(SIGALRM, SIG_DFL);
  ::alarm(5);
  constexpr int code = static_cast<int>(ExitCode::bad_input);
  MPI_Abort(MPI_COMM_WORLD, code);
  ::_exit(code);
}

}  // namespace

CrashGuard::CrashGuard(const std::string& path, int seconds) {
  if (!active) return;
  guarded_path = path.c_str();
  stack_t stack{};
  stack.ss_sp = stack_of_handler.data();
  stack.ss_size = stack_of_handler.size();
  ::sigaltstack(&stack, &stack_before);
  struct sigaction action {};
  action.sa_handler = end_program;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &action, &before[i]);
  set_timer(seconds);
}

CrashGuard::~CrashGuard() {
  if (!active) return;
  set_timer(0);
  for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &before[i], nullptr);
  ::sigaltstack(&stack_before, nullptr);
}

}  // namespace poise
