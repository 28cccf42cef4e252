#include "poise/io/run_directory.hpp"

#include <filesystem>
#include <initializer_list>

#include "poise/base/agree.hpp"
#include "poise/base/warn.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
namespace {

bool holds(const std::string& path, const std::string& name) {
  std::error_code code;
  const bool exists = std::filesystem::exists(path + "/" + name, code);
  // Not knowing is no leave to write over it.
  if (code) throw failure("cannot look for '" + path + "/" + name + "': " + code.message());
  return exists;
}

/// On one rank.
void require_no_study(const std::string& path) {
  for (const char* name : {"compare.h5", "sweep.h5", "ensemble.txt"})
    if (holds(path, name))
      throw bad_input("-run " + path + " already holds a study (" + name + "): choose another directory");
}

/// On one rank, for a new run.
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
  for (int k = 2; std::filesystem::exists(old); ++k) old = path + "/run.h5.old" + std::to_string(k);
  rename_durably(path + "/run.h5", old);
  warn("the start before ended without a checkpoint; its history is now " + old);
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

RunLock make_study_directory(MPI_Comm comm, const std::string& path) {
  RunLock lock(comm, path);
  on_root(comm, [&] {
    require_no_study(path);
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
  on_root(comm_, [&] {
    std::error_code code;
    if (std::filesystem::remove(done_file(), code)) sync_path(path_);
    if (code) throw failure("cannot remove '" + done_file() + "': " + code.message());
  });
}

}  // namespace poise
