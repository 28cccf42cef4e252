#include "poise/run/ensemble.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <limits>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/ensemble.hpp"
#include "poise/run/dated_directory.hpp"
#include "poise/run/ensemble_directory.hpp"
#include "poise/run/ensemble_record.hpp"
#include "poise/run/ensemble_report.hpp"
#include "poise/run/member_log.hpp"
#include "poise/run/provenance.hpp"
#include "poise/run/requests.hpp"
#include "poise/run/train.hpp"
#include "poise/run/usage.hpp"

namespace poise {
namespace {

/// The trainings of this start, and the request to stop, which a group asks about before it begins one.
class Trainer {
 public:
  Trainer(const EnsembleSettings& settings, const EnsembleDirectory& directory)
      : settings_(settings),
        directory_(directory),
        end_(settings.deadline > 0.0 ? steady_seconds() + settings.deadline
                                     : std::numeric_limits<double>::infinity()) {}

  /// Collective on the group. The status.
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
  /// For the next member of a group; none after a signal, or after a member that was stopped. A deadline that
  /// has passed leaves the first one a moment: every start makes a step, so that requeueing ends.
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
      const ExitCode code = train(options, group);
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

/// What is known of the members before this start does anything.
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

/// Takes over what run_members says of a member; its one value is the status.
void update(MemberRecord& record, const MemberResult& result) {
  record.error = result.error;
  record.status = result.error.empty() ? static_cast<MemberStatus>(static_cast<int>(result.values.at(0)))
                                       : MemberStatus::failed;
  if (record.status == MemberStatus::waiting) return;
  record.seconds = result.seconds;
  record.group = result.group;
}

/// Collective. Does what is not done yet, and tells of every member that ends.
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
  // How long a training takes is not known before, so the groups take what comes next in the table.
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

}  // namespace poise
