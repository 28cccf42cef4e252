#include "faults/fault_plan.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace faults {
namespace {

constexpr const char* calls[] = {
    // libc, see `io`
    "open", "read", "pread", "readv", "write", "pwrite", "writev", "fsync", "fallocate", "truncate", "rename",
    "unlink", "close", "mkdir", "stat",
    // see `mpi_io`
    "MPI_File_open", "MPI_File_read_at", "MPI_File_read_at_all", "MPI_File_write_at", "MPI_File_write_at_all",
    "MPI_File_set_size", "MPI_File_sync", "MPI_File_close",
    //
    "MPI_Init", "MPI_Finalize", "MPI_Allreduce", "new", "petsc_malloc", "clock", "event"};
constexpr int call_count = sizeof calls / sizeof *calls;
constexpr int io_end = 15;
constexpr int mpi_io_end = io_end + 8;

struct Code {
  const char* name;
  int code;
};
constexpr Code errors[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EACCES", EACCES}, {"EROFS", EROFS},
                           {"EDQUOT", EDQUOT}, {"ENOENT", ENOENT}, {"EINTR", EINTR},   {"EMFILE", EMFILE},
                           {"ESTALE", ESTALE}, {"EFBIG", EFBIG},   {"throw", ENOMEM}};
constexpr Code signals[] = {{"TERM", SIGTERM}, {"INT", SIGINT},   {"USR1", SIGUSR1},
                            {"USR2", SIGUSR2}, {"ABRT", SIGABRT}, {"SEGV", SIGSEGV}};

/// Only static memory: the first call may come before any constructor, and may be operator new.
struct Plan {
  char call[32], path[256], event[64], action[32], rank[16];
  long first, last;
  bool here;
} plan;
std::atomic<long> matched{0}, counts[call_count];
std::atomic<int> phases{0};
std::atomic<double> lag{0.0};

void read_value(const char* text, const char* key, char* out, std::size_t size, const char* otherwise) {
  const char* begin = std::strstr(text, key);
  const char* value = begin == nullptr ? otherwise : begin + std::strlen(key);
  const std::size_t length = std::min(std::strcspn(value, " "), size - 1);
  std::memcpy(out, value, length);
  out[length] = '\0';
}

const char* environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

void read_plan() {
  static std::atomic<bool> done{false};
  if (done.exchange(true)) return;
  const char* text = environment("POISE_FAULT", "");
  char rank[16], nth[32];
  std::snprintf(plan.rank, sizeof plan.rank, "%s",
                environment("OMPI_COMM_WORLD_RANK", environment("PMI_RANK", "0")));
  read_value(text, "call=", plan.call, sizeof plan.call, "");
  read_value(text, "path=", plan.path, sizeof plan.path, "");
  read_value(text, "event=", plan.event, sizeof plan.event, "");
  read_value(text, "do=", plan.action, sizeof plan.action, "");
  read_value(text, "rank=", rank, sizeof rank, "all");
  read_value(text, "nth=", nth, sizeof nth, "1");
  plan.first = std::atol(nth);
  plan.last = std::strchr(nth, '+') != nullptr ? LONG_MAX : plan.first;
  plan.here = std::strcmp(rank, "all") == 0 || std::strcmp(rank, plan.rank) == 0;
}

void append_line(const char* file, const char* line) {
  static const auto real_open = reinterpret_cast<decltype(&open)>(dlsym(RTLD_NEXT, "open"));
  static const auto real_write = reinterpret_cast<decltype(&write)>(dlsym(RTLD_NEXT, "write"));
  static const auto real_close = reinterpret_cast<decltype(&close)>(dlsym(RTLD_NEXT, "close"));
  if (*file == '\0') return;
  const int descriptor = real_open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) return;
  (void)!real_write(descriptor, line, std::strlen(line));
  real_close(descriptor);
}

bool is_wanted(int call) {
  if (std::strcmp(plan.call, "io") == 0) return call < io_end;
  if (std::strcmp(plan.call, "mpi_io") == 0) return call >= io_end && call < mpi_io_end;
  return std::strcmp(plan.call, calls[call]) == 0;
}

int carry_out(const char* call, long nth, const char* path) {
  char line[512];
  std::snprintf(line, sizeof line, "rank %s: %s %ld %s %s\n", plan.rank, call, nth, plan.action, path);
  append_line(environment("POISE_FAULT_LOG", ""), line);
  for (const auto& [name, code] : errors)
    if (std::strcmp(plan.action, name) == 0) return code;
  for (const auto& [name, code] : signals)
    if (std::strcmp(plan.action, name) == 0) std::raise(code);
  if (std::strcmp(plan.action, "kill") == 0) std::raise(SIGKILL);
  if (std::strcmp(plan.action, "short") == 0) return half;
  if (std::strcmp(plan.action, "torn") == 0) return half_then_kill;
  if (std::strncmp(plan.action, "back=", 5) == 0) lag = std::atof(plan.action + 5);
  return go_on;
}

__attribute__((destructor)) void write_counts() {
  const char* prefix = environment("POISE_FAULT_COUNT", "");
  if (*prefix == '\0') return;
  read_plan();
  char file[512], line[64];
  std::snprintf(file, sizeof file, "%s.%s", prefix, plan.rank);
  for (int call = 0; call < call_count; ++call) {
    std::snprintf(line, sizeof line, "%s %ld\n", calls[call], counts[call].load());
    append_line(file, line);
  }
}

}  // namespace

int outcome(const char* name, const char* path) {
  read_plan();
  if (plan.path[0] != '\0' && std::strstr(path, plan.path) == nullptr) return go_on;
  if (plan.event[0] != '\0' && phases == 0) return go_on;
  int call = 0;
  while (std::strcmp(calls[call], name) != 0) ++call;
  ++counts[call];
  if (!plan.here || !is_wanted(call)) return go_on;
  const long nth = ++matched;
  return nth >= plan.first && nth <= plan.last ? carry_out(name, nth, path) : go_on;
}

int outcome(const char* name, int descriptor) {
  read_plan();
  char link[64], path[256] = "";
  if (plan.path[0] != '\0') {
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    path[std::max<ssize_t>(length, 0)] = '\0';
  }
  return outcome(name, path);
}

bool wants_events() {
  read_plan();
  return plan.event[0] != '\0' || std::strcmp(plan.call, "event") == 0;
}

bool wants_event(const char* name) {
  return plan.event[0] == '\0' || std::strcmp(plan.event, name) == 0;
}

void phase_begins() {
  ++phases;
  (void)outcome("event");
}

void phase_ends() {
  --phases;
}

double clock_lag() {
  return lag;
}

}  // namespace faults
