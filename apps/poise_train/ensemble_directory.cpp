#include "poise_train/ensemble_directory.hpp"

#include <cstdio>
#include <filesystem>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/durable.hpp"
#include "poise_train/date.hpp"

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

}  // namespace

EnsembleDirectory::EnsembleDirectory(MPI_Comm comm, const EnsembleSettings& settings,
                                     const EnsemblePlan& plan)
    : comm_(comm), path_(settings.run), done_(plan.members.size(), 0) {
  on_root(comm_, [&] {
    if (!settings.resume) require_new(plan);
    if (settings.resume && !exists(path("ensemble.txt")))
      throw bad_input("-resume: there is no " + path("ensemble.txt") +
                      "; is -run the directory of an earlier ensemble?");
    create_directory(path_);
    for (const char* of_an_end : {"DONE", "ensemble.h5"}) remove(path(of_an_end));
    sync_path(path_);
    replace_file(path("ensemble.txt"), plan.text);
    for (std::size_t k = 0; k < done_.size(); ++k)
      done_[k] = exists(path(plan.members[k].name) + "/DONE") ? 1 : 0;
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

void EnsembleDirectory::create(MPI_Comm group, const std::string& name) const {
  on_root(group, [&] { create_directory(path(name)); });
}

bool EnsembleDirectory::prepare_resume(MPI_Comm group, const std::string& name) const {
  int goes_on = 0;
  on_root(group, [&] {
    const std::string run_file = path(name) + "/run.h5";
    goes_on = list_checkpoints(path(name) + "/checkpoints").empty() ? 0 : 1;
    if (goes_on == 0 && exists(run_file)) rename_durably(run_file, run_file + ".old");
  });
  check_mpi(MPI_Bcast(&goes_on, 1, MPI_INT, 0, group));
  return goes_on != 0;
}

void EnsembleDirectory::read(MemberRecord& record) const {
  try {
    record.read(path(record.name) + "/run.h5");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "poise: warning: %s\n", error.what());
  }
}

void EnsembleDirectory::mark_done() const {
  on_root(comm_, [&] { replace_file(path("DONE"), date("%Y-%m-%dT%H:%M:%SZ\n")); });
}

}  // namespace poise
