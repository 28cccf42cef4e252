#include "poise/run/ensemble_directory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/warn.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/run_file.hpp"
#include "poise/run/date.hpp"

namespace poise {
namespace {

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

bool holds_run(const std::string& folder) {
  return exists(folder + "/run.h5") || !list_checkpoints(folder + "/checkpoints").empty();
}

void remove(const std::string& path) {
  std::error_code code;
  std::filesystem::remove(path, code);
  if (code) throw failure("cannot remove '" + path + "': " + code.message());
}

std::string value_of(const NamedOptions& options, const std::string& name) {
  const auto found =
      std::find_if(options.begin(), options.end(), [&](const auto& o) { return o.first == name; });
  return found == options.end() ? "" : found->second;
}

/// Whether a run has reached its end with the options that are given to the member now. Where they differ, or
/// nobody can tell, the run's own -resume goes on or refuses.
bool is_done(const std::string& run, const EnsembleMember& member) {
  if (!exists(run + "/DONE")) return false;
  try {
    const History history = RunFile::load(MPI_COMM_SELF, run + "/run.h5");
    return std::all_of(member.options.begin(), member.options.end(), [&](const auto& given) {
      return value_of(history.config, given.first) == value_of(member.resolved, given.first);
    });
  } catch (const std::exception&) {
    return false;
  }
}

constexpr const char* claims_prefix = ".claims-";

}  // namespace

EnsembleDirectory::EnsembleDirectory(MPI_Comm comm, const EnsembleSettings& settings,
                                     const EnsemblePlan& plan)
    : comm_(comm),
      path_(settings.run),
      // Of this start alone: nodes may still see for a while what rank 0 has removed.
      claims_(path(broadcast(comm, claims_prefix + date("%Y%m%d-%H%M%S-") + std::to_string(getpid())))),
      done_(plan.members.size(), 0) {
  on_root(comm_, [&] {
    if (settings.resume && !exists(path("ensemble.txt")))
      throw bad_input("-resume: there is no " + path("ensemble.txt") +
                      "; is -run the directory of an earlier ensemble?");
  });
  lock_.emplace(comm_, path_);
  on_root(comm_, [&] {
    if (!settings.resume) require_new(plan);
    for (const char* of_an_end : {"DONE", "ensemble.h5"}) remove(path(of_an_end));
    clear_claims();
    create_directory(claims_);
    replace_file(path("ensemble.txt"), plan.text);
    for (std::size_t k = 0; k < done_.size(); ++k)
      done_[k] = is_done(path(plan.members[k].name), plan.members[k]) ? 1 : 0;
  });
  check_mpi(MPI_Bcast(done_.data(), static_cast<int>(done_.size()), MPI_INT, 0, comm_));
}

void EnsembleDirectory::require_new(const EnsemblePlan& plan) const {
  const std::string cure = ": go on with it by -resume, or choose another directory";
  if (exists(path("ensemble.txt"))) throw bad_input("-run " + path_ + " already holds an ensemble" + cure);
  if (holds_run(path_)) throw bad_input("-run " + path_ + " already holds a run: choose another directory");
  for (const EnsembleMember& member : plan.members)
    if (holds_run(path(member.name)))
      throw bad_input("-run " + path_ + ": " + path(member.name) +
                      " already holds a run: choose another directory");
}

bool EnsembleDirectory::claim(const std::string& name) const {
  const std::string file = claims_ + "/" + name;
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor >= 0) return ::close(descriptor), true;
  if (errno == EEXIST) return false;
  throw failure("cannot create '" + file + "': " + std::strerror(errno));
}

void EnsembleDirectory::clear_claims() const {
  for (const auto& entry : std::filesystem::directory_iterator(path_))
    if (entry.path().filename().string().starts_with(claims_prefix))
      std::filesystem::remove_all(entry.path());
}

void EnsembleDirectory::create(MPI_Comm group, const std::string& name) const {
  on_root(group, [&] { create_directory(path(name)); });
}

bool EnsembleDirectory::prepare_resume(MPI_Comm group, const std::string& name) const {
  int goes_on = 0;
  on_root(group, [&] { goes_on = list_checkpoints(path(name) + "/checkpoints").empty() ? 0 : 1; });
  check_mpi(MPI_Bcast(&goes_on, 1, MPI_INT, 0, group));
  return goes_on != 0;
}

void EnsembleDirectory::read(MemberRecord& record) const {
  try {
    record.read(path(record.name) + "/run.h5");
  } catch (const std::exception& error) {
    warn(error.what());
  }
}

void EnsembleDirectory::mark_done() const {
  on_root(comm_, [&] { replace_file(path("DONE"), date("%Y-%m-%dT%H:%M:%SZ\n")); });
}

}  // namespace poise
