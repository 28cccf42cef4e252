#include "poise/audit/audit.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "poise/audit/walk.hpp"
#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/options.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/run_file.hpp"
#include "poise/petsc/session.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/solvers.hpp"
#include "poise/run/stored_run.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace audit {
namespace {

/// The checkpoint that gives the settings of the run: the newest undamaged one, else the newest.
std::size_t reference_point(const RunCheckpoints& files) {
  for (std::size_t k = files.points().size(); k-- > 0;)
    if (files.points()[k].damage.empty()) return k;
  return files.points().size() - 1;
}

void require_two_points(const RunCheckpoints& files) {
  if (files.points().size() >= 2) return;
  throw usage(files.folder() + " holds only one checkpoint, and an audit compares at least two: train with " +
              "-checkpoint_every N and -checkpoint_keep 0 (keep all)");
}

/// Collective. The number of attempts of the run, from its run file, on rank 0. The audit takes nothing else
/// from the run file except what the history claim checks.
std::string attempts_text(MPI_Comm comm, const std::string& run) {
  try {
    return plural(static_cast<Index>(RunFile::load(comm, run + "/run.h5").attempts.size()), "attempt");
  } catch (const Error& error) {
    if (!error.collective()) throw;
    return "an unknown number of attempts (run.h5 cannot be read)";
  }
}

/// Collective.
void print_header(const Subject& subject, const RunCheckpoints& files, const AuditOptions& own) {
  const auto& points = files.points();
  const std::string attempts = attempts_text(subject.grid().world(), own.run);
  if (subject.grid().rank() != 0) return;
  std::printf("%s: %s of %s, steps %lld to %lld, t = %.6g to %.6g, %s\n\n", own.run.c_str(),
              plural(static_cast<Index>(points.size()), "checkpoint").c_str(), attempts.c_str(),
              static_cast<long long>(points.front().step), static_cast<long long>(points.back().step),
              points.front().t, points.back().t, plural(subject.grid().size(), "rank").c_str());
}

ExitCode report(MPI_Comm comm, const VerdictTable& table, const AuditFacts& facts, const std::string& json) {
  on_root(comm, [&] {
    std::fputs(table.text().c_str(), stdout);
    std::fflush(stdout);
    if (!json.empty()) replace_file(json, to_json(table, facts));
  });
  if (!table.held()) return ExitCode::failed;
  return table.has_unverified() ? ExitCode::not_verified : ExitCode::done;
}

}  // namespace

AuditOptions AuditOptions::from(Options& options) {
  const Options::Category category(options, "audit");
  AuditOptions own;
  own.run = options.text("run", "", "the run directory to check");
  own.json = options.text("json", "", "also write the verdict to this file, as JSON");
  own.replay_steps = options.integer(
      "replay_steps", 2000, {0, 2e9},
      "most steps to take again between checkpoints, the newest interval first, to check that "
      "they end at the stored checkpoints; Theorem 1 is then checked at each of these steps");
  return own;
}

void declare_audit_solvers(Options& options) {
  declare_train_solvers(options);
  declare_solvers(options, {{"tr_"},
                            {"tr_inner_"},
                            {"spec_newton_"},
                            {"optimum_"},
                            {"limit_lambda_"},
                            {"limit_features_"},
                            {"limit_curvature_"}});
}

ExitCode audit(Options& options, MPI_Comm comm) {
  const double begin = steady_seconds();
  const AuditOptions own = AuditOptions::from(options);
  if (own.run.empty()) throw usage("give -run DIR, the directory of a run (-help lists all options)");
  on_root(comm, [&] { require_output_path("json", own.json); });
  RunCheckpoints files(comm, own.run);
  VerdictTable table;
  AuditFacts facts;
  facts.run = own.run;
  if (files.points().size() < 2 && !files.unreadable().empty()) {  // only damage can be reported
    options.reject_unknown();
    add_file_rows(files, table);
    check_mpi(MPI_Comm_size(comm, &facts.ranks));
    return report(comm, table, facts, own.json);
  }
  require_two_points(files);
  const std::size_t reference = reference_point(files);
  const TrainSettings settings = recall_settings(options, *files.open(reference));
  declare_audit_solvers(options);
  Subject subject(comm, settings, *files.open(reference));
  Walk run(subject, files, own.run, own.replay_steps);
  options.reject_unknown();
  print_header(subject, files, own);
  run.go();
  add_file_rows(files, table);
  run.judge(table);
  facts.ranks = subject.grid().size();
  facts.grid = fmt::format("{}x{}", subject.grid().feature_ranks(), subject.grid().sample_ranks());
  facts.checkpoints = static_cast<Index>(files.points().size());
  facts.first_step = files.points().front().step;
  facts.last_step = files.points().back().step;
  facts.replayed_steps = run.replayed();
  facts.seconds = steady_seconds() - begin;
  return report(comm, table, facts, own.json);
}

namespace {

constexpr const char* audit_usage =
    "poise-audit: checks a run from its checkpoints alone\n"
    "  mpirun -n 2 poise-audit -run runs/digits\n"
    "  mpirun -n 4 poise-audit -run runs/digits -json verdict.json -replay_steps 0\n"
    "Options of the run are taken from its checkpoints; give none of them here, except -data if the data "
    "have "
    "moved.";

}  // namespace

int audit_main(int argc, char** argv) {
  return run_options_program(
      argc, argv, audit_usage,
      [](Options& options) {
        (void)AuditOptions::from(options);
        (void)TrainSettings::from(options);
        declare_audit_solvers(options);
      },
      audit);
}

}  // namespace audit
}  // namespace poise
