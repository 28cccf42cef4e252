#include "poise/io/run_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <initializer_list>

#include "poise/base/agree.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/error.hpp"
#include "poise/base/output.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
inline namespace io {
namespace {

constexpr std::size_t longest_name = 512;

std::string own_name() {
  char host[256] = "";
  (void)gethostname(host, sizeof host - 1);
  const char* job = std::getenv("SLURM_JOB_ID");
  return fmt::format("process {} on host {}{}", getpid(), host,
                     job != nullptr ? fmt::format(" (SLURM job {})", job) : "");
}

/// The name of the holder. The file may be empty for a moment after the holder got the lock.
std::string holder_of(int descriptor) {
  char name[longest_name];
  const ssize_t length = pread(descriptor, name, sizeof name, 0);
  return length > 0 ? std::string(name, static_cast<std::size_t>(length)) : "another process";
}

/// The lock belongs to the open file, not to the process, so that closing another descriptor does not release
/// it.
bool lock(int descriptor) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return fcntl(descriptor, F_OFD_SETLK, &whole) == 0;
}

/// The descriptor that holds the lock; -1 if the file system has no locks.
int hold(const std::string& directory) {
  if (directory.empty()) throw bad_input("the name of the run directory is empty: give -run DIR");
  create_directory(directory);
  const std::string path = directory + "/.lock";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) throw failure("cannot write '" + path + "': " + std::strerror(errno));
  if (lock(descriptor)) {
    const std::string name = own_name();
    // The name is only for the message of other programs; more important writes report a full disk.
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
       "): make sure that no other program writes there meanwhile");
  return -1;
}

}  // namespace

RunLock::RunLock(MPI_Comm comm, const std::string& directory) {
  on_root(comm, [&] { descriptor_ = hold(directory); });
}

RunLock::~RunLock() {
  if (descriptor_ < 0) return;
  if (ftruncate(descriptor_, 0) != 0) errno = 0;  // an old name does no harm
  close(descriptor_);
}

namespace {

bool holds(const std::string& path, const std::string& name) {
  std::error_code code;
  const bool exists = std::filesystem::exists(path + "/" + name, code);
  // Without an answer the file must not be overwritten.
  if (code) throw failure("cannot look for '" + path + "/" + name + "': " + code.message());
  return exists;
}

/// For one rank. `cure`: what the user can do instead, besides choosing another directory.
void require_no_study(const std::string& path, const std::string& cure = "") {
  for (const char* name : {"compare.h5", "sweep.h5", "members", "ensemble.txt"})
    if (holds(path, name))
      throw bad_input("-run " + path + " already holds a study (" + name + "): " + cure +
                      "choose another directory");
}

/// For one rank. Prepares the folder for a new run.
void clear_the_way(const std::string& path) {
  require_no_study(path);
  if (!list_checkpoints(path + "/checkpoints").empty())
    throw bad_input("-run " + path +
                    " already holds a run: go on with it by -resume, or choose another directory");
  if (holds(path, "DONE"))
    throw bad_input("-run " + path +
                    " already holds a run that is done, without its checkpoints: choose another directory");
  if (!holds(path, "run.h5")) return;
  std::string old = path + "/run.h5.old";
  for (int k = 2; std::filesystem::exists(old); ++k) old = fmt::format("{}/run.h5.old{}", path, k);
  rename_durably(path + "/run.h5", old);
  warn("the previous run ended without a checkpoint; its history is now " + old);
}

std::string checked_path(std::string path) {
  require_parallel_name(path);
  return path;
}

}  // namespace

RunDirectory::RunDirectory(MPI_Comm comm, std::string path, Start start)
    : comm_(comm), path_(checked_path(std::move(path))), lock_(comm, path_) {
  on_root(comm_, [&] {
    if (start == Start::anew) clear_the_way(path_);
    create_directory(checkpoints());
  });
}

RunLock make_study_directory(MPI_Comm comm, const std::string& path, RunDirectory::Start start) {
  RunLock lock(comm, path);
  on_root(comm, [&] {
    if (start == RunDirectory::Start::anew) require_no_study(path, "go on with it by -resume, or ");
    for (const char* name : {"run.h5", "checkpoints"})
      if (holds(path, name))
        throw bad_input("-run " + path + " already holds a run (" + name + "): choose another directory");
  });
  return lock;
}

void RunDirectory::write_options(const std::string& text) const {
  on_root(comm_, [&] { replace_file(path_ + "/options.txt", text); });
}

void RunDirectory::mark_done(const std::string& text) const {
  on_root(comm_, [&] { replace_file(done_file(), text); });
}

void RunDirectory::clear_done() const {
  on_root(comm_, [&] { remove_durably(done_file()); });
}

std::string make_dated_directory(MPI_Comm comm, const std::string& name) {
  std::string path;
  on_root(comm, [&] {
    const std::string dated = "runs/" + name + date("-%Y%m%d-%H%M%S");
    create_directory("runs");
    path = dated;
    std::error_code code;
    for (int k = 2; !std::filesystem::create_directory(path, code); ++k) {
      if (code) throw failure("cannot create the directory '" + path + "': " + code.message());
      path = fmt::format("{}-{}", dated, k);
    }
  });
  return broadcast(comm, path);
}

}  // namespace io
}  // namespace poise
