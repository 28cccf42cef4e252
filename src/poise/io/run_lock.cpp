#include "poise/io/run_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"
#include "poise/base/warn.hpp"
#include "poise/io/durable.hpp"

namespace poise {
namespace {

constexpr std::size_t longest_name = 512;

std::string own_name() {
  char host[256] = "";
  (void)gethostname(host, sizeof host - 1);
  const char* job = std::getenv("SLURM_JOB_ID");
  return "process " + std::to_string(getpid()) + " on host " + host +
         (job != nullptr ? std::string(" (SLURM job ") + job + ")" : "");
}

/// Not there for a moment after the holder got the lock.
std::string holder_of(int descriptor) {
  char name[longest_name];
  const ssize_t length = pread(descriptor, name, sizeof name, 0);
  return length > 0 ? std::string(name, static_cast<std::size_t>(length)) : "another process";
}

/// A lock of the open file, not of the process: closing another descriptor of the file does not lose it.
bool lock(int descriptor) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return fcntl(descriptor, F_OFD_SETLK, &whole) == 0;
}

/// The descriptor that holds the lock, -1 where there are no locks.
int hold(const std::string& directory) {
  if (directory.empty()) throw bad_input("the name of the run directory is empty: give -run DIR");
  create_directory(directory);
  const std::string path = directory + "/.lock";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) throw failure("cannot write '" + path + "': " + std::strerror(errno));
  if (lock(descriptor)) {
    const std::string name = own_name();
    // For the message of others alone: a full disk is reported by what matters more.
    if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, name.data(), name.size(), 0) < 0) errno = 0;
    return descriptor;
  }
  const int code = errno;
  const std::string holder = holder_of(descriptor);
  close(descriptor);
  if (code == EAGAIN || code == EACCES)
    throw bad_input("-run " + directory + " is in use by " + holder +
                    "; wait for its end, or choose another directory");
  warn("no lock for " + directory + " (" + std::strerror(code) +
       "): see to it that no other program writes there meanwhile");
  return -1;
}

}  // namespace

RunLock::RunLock(MPI_Comm comm, const std::string& directory) {
  on_root(comm, [&] { descriptor_ = hold(directory); });
}

RunLock::~RunLock() {
  if (descriptor_ < 0) return;
  if (ftruncate(descriptor_, 0) != 0) errno = 0;  // a stale name does no harm
  close(descriptor_);
}

}  // namespace poise
