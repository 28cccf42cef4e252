#include "poise/run/ensemble.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/error.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/run/ensemble_directory.hpp"
#include "poise/run/ensemble_plan.hpp"
#include "poise/run/members.hpp"
#include "poise/run/provenance.hpp"
#include "poise/run/report.hpp"
#include "poise/run/train.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
namespace {

void flush() {
  std::fflush(stdout);
  std::fflush(stderr);
}

/// While it lives, standard output and standard error of this process go to the end of a file, because the
/// reports of trainings that run at the same time would mix on the terminal.
class MemberLog {
 public:
  /// Collective; the folder must exist. Throws failure if the file cannot be opened.
  MemberLog(MPI_Comm comm, const std::string& path);
  ~MemberLog();
  MemberLog(const MemberLog&) = delete;
  MemberLog& operator=(const MemberLog&) = delete;

 private:
  int output_ = -1, errors_ = -1;  // the original descriptors
};

MemberLog::MemberLog(MPI_Comm comm, const std::string& path) {
  int file = -1;
  agree(comm, [&] {
    file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0) throw failure("cannot open '" + path + "': " + std::strerror(errno));
  });
  flush();
  output_ = ::dup(STDOUT_FILENO);
  errors_ = ::dup(STDERR_FILENO);
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  ::close(file);
}

MemberLog::~MemberLog() {
  flush();
  ::dup2(output_, STDOUT_FILENO);
  ::dup2(errors_, STDERR_FILENO);
  ::close(output_);
  ::close(errors_);
}

std::string number(fmt::format_string<const double&> format, const double& value) {
  return std::isnan(value) ? "-" : fmt::format(format, value);
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string test_text(const MemberRecord& record) {
  const double accuracy = record.last_of("test_accuracy");
  return std::isnan(accuracy) ? number("{:.6g}", record.last_of("test_loss"))
                              : number("{:.2f}%", 100.0 * accuracy);
}

std::vector<MemberStatus> statuses_of(const std::vector<MemberRecord>& records) {
  std::vector<MemberStatus> statuses;
  for (const MemberRecord& record : records) statuses.push_back(record.status);
  return statuses;
}

/// The text of an ensemble on the terminal. Not collective except where a method says so.
class EnsembleReport {
 public:
  /// Collective.
  EnsembleReport(MPI_Comm comm, const EnsembleSettings& settings);

  /// Only rank 0 prints the header and the summary.
  void header(const std::vector<int>& done) const;
  /// The rank that calls this prints one line.
  void ended(const MemberRecord& record) const;
  void summary(const std::vector<MemberRecord>& records) const;

 private:
  const EnsembleSettings& settings_;
  int rank_ = 0, ranks_ = 1;
  double start_;
};

EnsembleReport::EnsembleReport(MPI_Comm comm, const EnsembleSettings& settings)
    : settings_(settings), start_(steady_seconds()) {
  check_mpi(MPI_Comm_rank(comm, &rank_));
  check_mpi(MPI_Comm_size(comm, &ranks_));
}

void EnsembleReport::header(const std::vector<int>& done) const {
  if (rank_ != 0) return;
  const int groups = ranks_ / settings_.ranks;
  std::printf("poise-train: ensemble %s, %s on %s of %s; run directories %s/NAME\n", settings_.name().c_str(),
              plural(static_cast<Index>(done.size()), "member").c_str(), plural(groups, "group").c_str(),
              plural(settings_.ranks, "rank").c_str(), settings_.run.c_str());
  print_done_already(done);
  std::printf("\n");
  std::fflush(stdout);
}

void EnsembleReport::ended(const MemberRecord& record) const {
  const std::string text = record.status == MemberStatus::failed
                               ? first_line(record.error)
                               : fmt::format("step {}, loss {}", number("{:.0f}", record.last_of("step")),
                                             number("{:.6g}", record.last_of("loss")));
  print_member_line(record.status, record.name, text, record.seconds);
}

void EnsembleReport::summary(const std::vector<MemberRecord>& records) const {
  if (rank_ != 0) return;
  std::size_t width = 6;
  for (const MemberRecord& record : records) width = std::max(width, record.name.size());
  const int w = static_cast<int>(width);
  std::printf("\n%-*s  %-7s %8s %12s %12s %10s %9s\n", w, "member", "status", "step", "loss", "excess",
              "test", "seconds");
  for (const MemberRecord& record : records)
    std::printf(
        "%-*s  %-7s %8s %12s %12s %10s %9.1f\n", w, record.name.c_str(), to_string(record.status).c_str(),
        number("{:.0f}", record.last_of("step")).c_str(), number("{:.6g}", record.last_of("loss")).c_str(),
        number("{:.4g}", record.last_of("loss_excess")).c_str(), test_text(record).c_str(), record.seconds);
  std::printf("\n%s in %.1fs; results: %s/ensemble.h5\n", count_text(statuses_of(records)).c_str(),
              steady_seconds() - start_, settings_.run.c_str());
  if (unfinished(statuses_of(records)))
    std::printf("to go on: poise-train -run %s -resume\n", settings_.run.c_str());
  std::fflush(stdout);
}

/// Runs one training and writes its messages to its log. Throws MemberStopped if it has stopped on request.
void run_logged(MPI_Comm group, const NamedOptions& given) {
  const OwnOptions scope(given);
  try {
    Options options;
    if (train(options, group, false) == ExitCode::requeue)  // MemberLog keeps the log
      throw MemberStopped();
  } catch (const MemberStopped&) {
    throw;
  } catch (const std::exception& error) {
    const auto* known = dynamic_cast<const Error*>(&error);
    int rank = 0;
    check_mpi(MPI_Comm_rank(group, &rank));
    if (rank == 0 || known == nullptr || !known->collective())
      std::fprintf(stderr, "poise: error: %s\n", error.what());
    throw;
  }
}

/// Collective on the group. Begins a member, or goes on with it.
void run_member(MPI_Comm group, const EnsembleSettings& settings, const EnsembleDirectory& directory,
                const EnsembleMember& member, const MemberTime& time) {
  const bool resume = settings.resume && directory.prepare_resume(group, member.name);
  directory.create(group, member.name);
  const MemberLog log(group, directory.path(member.name) + "/log.txt");
  NamedOptions options = member.options;
  options.emplace_back("run", directory.path(member.name));
  if (resume) options.emplace_back("resume", "true");
  // The first member of a group always gets a moment, so that every attempt makes a step and requeueing ends.
  constexpr double moment = 1e-9;
  if (time.left < std::numeric_limits<double>::infinity())
    options.emplace_back("deadline", to_text(std::max(time.left, moment)));
  run_logged(group, options);
}

ExitCode exit_code(const std::vector<MemberRecord>& records, const std::string& path) {
  if (unfinished(statuses_of(records))) return ExitCode::requeue;
  std::string failed;
  for (const MemberRecord& record : records)
    if (record.status == MemberStatus::failed) failed += (failed.empty() ? "" : ", ") + record.name;
  if (failed.empty()) return ExitCode::done;
  throw Error(ExitCode::failed,
              "members of the ensemble have failed: " + failed + "; " + path +
                  "/NAME/log.txt says why; -resume tries them again and leaves the others as they are",
              true);
}

/// The records of the members at the beginning of this attempt.
std::vector<MemberRecord> earlier_records(const EnsemblePlan& plan, const EnsembleDirectory& directory) {
  std::vector<MemberRecord> records;
  for (std::size_t k = 0; k < plan.members.size(); ++k) {
    MemberRecord& record = records.emplace_back();
    record.name = plan.members[k].name;
    record.options = plan.members[k].resolved;
    if (directory.was_done(k)) record.status = MemberStatus::done;
  }
  return records;
}

/// How this attempt has ended for a member, unless an earlier one had done it.
void update(MemberRecord& record, const MemberEnd& end) {
  record.status = end.status;
  record.error = end.result.error;
  if (end.status == MemberStatus::waiting) return;
  record.seconds = end.result.seconds;
  record.group = end.result.group;
}

/// Collective. Runs the members that are not done, and prints a line when a member ends.
void run_pending(MPI_Comm comm, const EnsembleSettings& settings, const EnsemblePlan& plan,
                 const EnsembleDirectory& directory, std::vector<MemberRecord>& records) {
  MemberPlan members;
  members.ranks = settings.ranks;
  members.deadline = settings.deadline;
  members.grace = 60.0;
  // Nobody knows the duration of a training beforehand, so the groups take the members in the order of the
  // table.
  members.costs.assign(records.size(), 1.0);
  for (std::size_t k = 0; k < records.size(); ++k) members.done.push_back(directory.was_done(k) ? 1 : 0);
  const EnsembleReport report(comm, settings);
  report.header(members.done);
  MemberHooks hooks;
  hooks.take = [&](Index k) { return directory.claim(records[k].name); };
  hooks.ended = [&](Index k, const MemberEnd& end) {
    MemberRecord record = records[k];
    update(record, end);
    directory.read(record);
    report.ended(record);
  };
  const auto train_member = [&](MPI_Comm group, Index k, const MemberTime& time) {
    run_member(group, settings, directory, plan.members[k], time);
    return std::vector<double>{};
  };
  const std::vector<MemberEnd> ends = run_pending_members(comm, members, train_member, hooks);
  for (std::size_t k = 0; k < ends.size(); ++k)
    if (!directory.was_done(k)) update(records[k], ends[k]);
  on_root(comm, [&] {
    for (MemberRecord& record : records) directory.read(record);
    report.summary(records);
  });
}

}  // namespace

ExitCode train_ensemble(MPI_Comm comm, EnsembleSettings settings) {
  const EnsemblePlan plan = plan_ensemble(comm, settings);
  if (settings.run.empty() && settings.resume)
    throw usage("-resume needs the directory of the ensemble: give -run DIR");
  if (settings.run.empty())
    settings.run = make_dated_directory(
        comm, settings.grid.empty() ? std::filesystem::path(settings.file).stem().string() : "grid");
  RunFile::Named attributes = provenance(comm);
  attributes.emplace_back("ensemble_ranks", Index{settings.ranks});
  const EnsembleDirectory directory(comm, settings, plan);
  std::vector<MemberRecord> records = earlier_records(plan, directory);
  run_pending(comm, settings, plan, directory, records);
  on_root(comm, [&] {
    write_ensemble(directory.table_file(), records, attributes);
    directory.clear_claims();
  });
  const ExitCode code = exit_code(records, settings.run);
  if (code == ExitCode::done) directory.mark_done();
  return code;
}

}  // namespace run
}  // namespace poise
