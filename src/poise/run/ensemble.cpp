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
#include "poise/base/ensemble.hpp"
#include "poise/base/error.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/run/ensemble_directory.hpp"
#include "poise/run/ensemble_plan.hpp"
#include "poise/run/interruptions.hpp"
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

/// The text of an ensemble on the terminal. Not collective except where a method says so.
class EnsembleReport {
 public:
  /// Collective.
  EnsembleReport(MPI_Comm comm, const EnsembleSettings& settings);

  /// Only rank 0 prints the header and the summary.
  void header(std::size_t members, std::size_t pending) const;
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

void EnsembleReport::header(std::size_t members, std::size_t pending) const {
  if (rank_ != 0) return;
  const int groups = ranks_ / settings_.ranks;
  std::printf("poise-train: ensemble %s, %s on %s of %s; run directories %s/NAME\n", settings_.file.c_str(),
              plural(static_cast<Index>(members), "member").c_str(), plural(groups, "group").c_str(),
              plural(settings_.ranks, "rank").c_str(), settings_.run.c_str());
  if (pending < members)
    std::printf("%s done already\n", plural(static_cast<Index>(members - pending), "member").c_str());
  std::printf("\n");
  std::fflush(stdout);
}

void EnsembleReport::ended(const MemberRecord& record) const {
  if (record.status == MemberStatus::waiting) return;
  const std::string text = record.status == MemberStatus::failed
                               ? first_line(record.error)
                               : fmt::format("step {}, loss {}", number("{:.0f}", record.last_of("step")),
                                             number("{:.6g}", record.last_of("loss")));
  std::printf("%-7s  %s: %s, %.1fs\n", to_string(record.status).c_str(), record.name.c_str(), text.c_str(),
              record.seconds);
  std::fflush(stdout);
}

void EnsembleReport::summary(const std::vector<MemberRecord>& records) const {
  if (rank_ != 0) return;
  std::size_t width = 6;
  for (const MemberRecord& record : records) width = std::max(width, record.name.size());
  const int w = static_cast<int>(width);
  std::printf("\n%-*s  %-7s %8s %12s %12s %10s %9s\n", w, "member", "status", "step", "loss", "excess",
              "test", "seconds");
  std::size_t counts[4] = {};
  for (const MemberRecord& record : records) {
    ++counts[static_cast<int>(record.status)];
    std::printf(
        "%-*s  %-7s %8s %12s %12s %10s %9.1f\n", w, record.name.c_str(), to_string(record.status).c_str(),
        number("{:.0f}", record.last_of("step")).c_str(), number("{:.6g}", record.last_of("loss")).c_str(),
        number("{:.4g}", record.last_of("loss_excess")).c_str(), test_text(record).c_str(), record.seconds);
  }
  std::printf("\n%zu done, %zu stopped, %zu failed, %zu waiting in %.1fs; results: %s/ensemble.h5\n",
              counts[0], counts[1], counts[2], counts[3], steady_seconds() - start_, settings_.run.c_str());
  if (counts[1] + counts[3] > 0) std::printf("to go on: the same command with -resume\n");
  std::fflush(stdout);
}

/// Runs the members of this attempt. Before each member a group checks for requests to stop.
class Trainer {
 public:
  Trainer(const EnsembleSettings& settings, const EnsembleDirectory& directory)
      : settings_(settings),
        directory_(directory),
        end_(settings.deadline > 0.0 ? steady_seconds() + settings.deadline
                                     : std::numeric_limits<double>::infinity()) {}

  /// Collective on the group. Runs a member and returns its status.
  MemberStatus run(MPI_Comm group, const EnsembleMember& member) {
    const double left = seconds_left(group);
    if (left <= 0.0) return MemberStatus::waiting;
    begun_ = true;
    const bool resume = settings_.resume && directory_.prepare_resume(group, member.name);
    directory_.create(group, member.name);
    const MemberLog log(group, directory_.path(member.name) + "/log.txt");
    NamedOptions options = member.options;
    options.emplace_back("run", directory_.path(member.name));
    if (resume) options.emplace_back("resume", "true");
    if (left < std::numeric_limits<double>::infinity()) options.emplace_back("deadline", to_text(left));
    return run_logged(group, options);
  }

 private:
  /// Seconds left for the next member of a group; 0 after a signal or after a member was stopped. The first
  /// member of an attempt always gets a moment, so that every attempt makes a step and requeueing ends.
  [[nodiscard]] double seconds_left(MPI_Comm group) const {
    double left = end_ - steady_seconds();
    check_mpi(MPI_Bcast(&left, 1, MPI_DOUBLE, 0, group));
    int stop = stop_requested() || stopped_ ? 1 : 0;
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &stop, 1, MPI_INT, MPI_MAX, group));
    constexpr double moment = 1e-9;
    if (stop != 0) return 0.0;
    return begun_ ? left : std::max(left, moment);
  }

  MemberStatus run_logged(MPI_Comm group, const NamedOptions& given) {
    const OwnOptions scope(given);
    try {
      Options options;
      const ExitCode code = train(options, group, false);  // MemberLog keeps the log
      stopped_ = code == ExitCode::requeue;
      return stopped_ ? MemberStatus::stopped : MemberStatus::done;
    } catch (const std::exception& error) {
      const auto* known = dynamic_cast<const Error*>(&error);
      int rank = 0;
      check_mpi(MPI_Comm_rank(group, &rank));
      if (rank == 0 || known == nullptr || !known->collective())
        std::fprintf(stderr, "poise: error: %s\n", error.what());
      throw;
    }
  }

  const EnsembleSettings& settings_;
  const EnsembleDirectory& directory_;
  double end_;
  bool begun_ = false, stopped_ = false;
};

ExitCode exit_code(const std::vector<MemberRecord>& records, const std::string& path) {
  std::string failed;
  bool unfinished = false;
  for (const MemberRecord& record : records) {
    if (record.status == MemberStatus::failed) failed += (failed.empty() ? "" : ", ") + record.name;
    unfinished =
        unfinished || record.status == MemberStatus::stopped || record.status == MemberStatus::waiting;
  }
  if (unfinished) return ExitCode::requeue;
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

/// Copies the result of run_members into the record of a member; the only value of a result is the status.
void update(MemberRecord& record, const MemberResult& result) {
  record.error = result.error;
  record.status = result.error.empty() ? static_cast<MemberStatus>(static_cast<int>(result.values.at(0)))
                                       : MemberStatus::failed;
  if (record.status == MemberStatus::waiting) return;
  record.seconds = result.seconds;
  record.group = result.group;
}

/// Collective. Runs the members that are not done, and prints a line when a member ends.
void run_pending(MPI_Comm comm, const EnsembleSettings& settings, const EnsemblePlan& plan,
                 const EnsembleDirectory& directory, std::vector<MemberRecord>& records) {
  std::vector<std::size_t> pending;
  for (std::size_t k = 0; k < records.size(); ++k)
    if (!directory.was_done(k)) pending.push_back(k);
  const EnsembleReport report(comm, settings);
  report.header(records.size(), pending.size());
  Trainer trainer(settings, directory);
  const auto train_member = [&](MPI_Comm group, Index k) {
    return std::vector<double>{static_cast<double>(trainer.run(group, plan.members[pending[k]]))};
  };
  EnsembleHooks hooks;
  hooks.take = [&](Index k) { return directory.claim(plan.members[pending[k]].name); };
  hooks.ended = [&](Index k, const MemberResult& result) {
    MemberRecord record = records[pending[k]];
    update(record, result);
    directory.read(record);
    report.ended(record);
  };
  constexpr double grace = 60.0;
  // Nobody knows the duration of a training beforehand, so the groups take the members in the order of the
  // table.
  const auto results =
      run_members(comm, settings.ranks, std::vector<double>(pending.size(), 1.0), train_member, grace, hooks);
  for (std::size_t k = 0; k < pending.size(); ++k) update(records[pending[k]], results[k]);
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
    settings.run = make_dated_directory(comm, std::filesystem::path(settings.file).stem().string());
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
