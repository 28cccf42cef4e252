#include "poise_audit/audit.hpp"

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/io/durable.hpp"
#include "poise_audit/claims.hpp"
#include "poise_audit/json.hpp"
#include "poise_audit/replay.hpp"
#include "poise_audit/rows_files.hpp"
#include "poise_train/stored_run.hpp"
#include "poise_train/usage.hpp"

namespace poise {
namespace {

/// A claim and what kept it from being measured.
struct Watched {
  std::unique_ptr<Claim> claim;
  std::string error, file;
  Index step = -1;

  void see(const RunPoint& point) {
    try {
      claim->see(point);
    } catch (const Error& failed) {
      if (!failed.collective()) throw;
      if (!error.empty()) return;
      error = first_line(failed.what());
      step = point.step;
      file = point.file;
    }
  }

  void judge(VerdictTable& table) const {
    const std::size_t first = table.rows().size();
    claim->judge(table);
    if (error.empty()) return;
    for (std::size_t k = first; k < table.rows().size(); ++k) {
      Row& row = table.rows()[k];
      if (row.state == RowState::does_not_apply || row.state == RowState::not_held) continue;
      row.state = RowState::not_held;
      row.measured = std::nan("");
      row.step = step;
      row.file = file;
      row.note = error;
    }
  }
};

/// Takes the claims through the run.
class Audit {
 public:
  Audit(Subject& subject, RunCheckpoints& files, Index replay_steps)
      : subject_(subject),
        files_(files),
        replay_(subject, files, replay_steps),
        gradient_(subject.layout().create()) {
    for (auto& claim : make_claims(subject))
      claims_.push_back({.claim = std::move(claim), .error = {}, .file = {}});
  }

  void go() {
    begin();
    for (std::size_t k = 0; k < files_.points().size(); ++k) {
      if (connected_) replay_.run(k, [this](auto&&... seen) { see_step(seen...); });
      connected_ = go_to(k);
      files_.close(k);
    }
  }

  void judge(VerdictTable& table) const {
    replay_.judge(table);
    for (const Watched& watched : claims_) watched.judge(table);
  }
  [[nodiscard]] Index replayed() const { return replay_.steps(); }

 private:
  void begin() {
    Experiment& experiment = subject_.experiment();
    check(VecCopy(subject_.start(), experiment.theta()));
    experiment.state() = {};
    RunPoint point;
    point.kind = RunPoint::Kind::start;
    see(point);
  }

  /// Whether the experiment now stands at checkpoint k.
  bool go_to(std::size_t k) {
    const StoredPoint& stored = files_.points()[k];
    Experiment& experiment = subject_.experiment();
    const Checkpoint* checkpoint = nullptr;
    try {
      checkpoint = files_.open(k);
      if (checkpoint == nullptr) return false;
      experiment.restore_point(*checkpoint);
    } catch (const Error& error) {
      if (!error.collective()) throw;
      files_.report_unreadable(k, first_line(error.what()));
      return false;
    }
    replay_.compare(k);
    const std::size_t last = files_.points().size() - 1;
    RunPoint point;
    point.kind = RunPoint::Kind::checkpoint;
    point.chosen = k == 0 || k == last || k == last / 2;
    point.step = stored.step;
    point.t = stored.t;
    point.local_error_sum = experiment.state().local_error_sum;
    point.gradients = experiment.state().gradients;
    point.checkpoint = checkpoint;
    point.file = stored.name;
    see(point);
    return true;
  }

  /// The experiment stands there.
  void see(RunPoint& point) {
    Experiment& experiment = subject_.experiment();
    point.theta = experiment.theta();
    point.loss = point.gradient_norm = std::nan("");
    try {
      point.loss = experiment.objective().value_and_gradient(point.theta, gradient_.get()).train.loss;
      check(VecNorm(gradient_.get(), NORM_2, &point.gradient_norm));
    } catch (const Error& error) {
      if (!error.collective()) throw;
    }
    for (Watched& claim : claims_) claim.see(point);
  }

  void see_step(const DynamicsState& state, Vec theta, Vec gradient, const Evaluation& evaluation) {
    RunPoint point;
    point.kind = RunPoint::Kind::step;
    point.step = state.step;
    point.t = state.t;
    point.local_error_sum = state.local_error_sum;
    point.loss = evaluation.train.loss;
    point.gradients = state.gradients;
    point.theta = theta;
    check(VecNorm(gradient, NORM_2, &point.gradient_norm));
    for (Watched& claim : claims_) claim.see(point);
  }

  Subject& subject_;
  RunCheckpoints& files_;
  Replay replay_;
  VecHandle gradient_;
  std::vector<Watched> claims_;
  bool connected_ = true;
};

void require_data(MPI_Comm comm, const TrainSettings& settings) {
  on_root(comm, [&] {
    if (!std::filesystem::exists(settings.data))
      throw bad_input("the data of the run, " + settings.data +
                      ", are not there (as seen from here); say by -data FILE where they are");
  });
}

/// What can be known before the work begins.
void require_writable_output(MPI_Comm comm, const std::string& path) {
  if (path.empty()) return;
  on_root(comm, [&] {
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    if (std::filesystem::is_directory(path)) throw bad_input("-json " + path + ": is a directory");
    if (!folder.empty() && !std::filesystem::is_directory(folder))
      throw bad_input("-json " + path + ": there is no directory " + folder.string());
  });
}

/// The checkpoint that says what the run is: the newest whole one, else the newest.
std::size_t reference_point(const RunCheckpoints& files) {
  for (std::size_t k = files.points().size(); k-- > 0;)
    if (files.points()[k].damage.empty()) return k;
  return files.points().size() - 1;
}

void require_two_points(const RunCheckpoints& files) {
  if (files.points().size() >= 2) return;
  throw usage(files.folder() + " holds one checkpoint only, and an audit compares: make more of them, with " +
              "-checkpoint_every N and -checkpoint_keep 0 (all stay)");
}

void print_header(const Subject& subject, const RunCheckpoints& files, const AuditOptions& own) {
  const auto& points = files.points();
  std::printf("%s: %zu checkpoints, steps %lld to %lld, t = %.6g to %.6g, %d rank%s\n\n", own.run.c_str(),
              points.size(), static_cast<long long>(points.front().step),
              static_cast<long long>(points.back().step), points.front().t, points.back().t,
              subject.grid().size(), subject.grid().size() == 1 ? "" : "s");
}

ExitCode report(MPI_Comm comm, const VerdictTable& table, const AuditFacts& facts, const std::string& json) {
  on_root(comm, [&] {
    std::fputs(table.text().c_str(), stdout);
    std::fflush(stdout);
    if (!json.empty()) replace_file(json, to_json(table, facts));
  });
  return table.held() ? ExitCode::done : ExitCode::failed;
}

}  // namespace

AuditOptions AuditOptions::from(Options& options) {
  AuditOptions own;
  own.run = options.text("run", "", "the run directory to check");
  own.json = options.text("json", "", "also write the verdict to this file, as JSON");
  own.replay_steps =
      options.integer("replay_steps", 2000, {0, 2e9},
                      "steps that are taken again between checkpoints, the newest first, to see whether they "
                      "lead where the run went; Theorem 1 is then checked at all of them");
  return own;
}

void declare_audit_solvers(Options& options) {
  declare_solvers(options);
  options.solver("tr_", "KSP", "gltr, the subproblem of Theorem 2");
  options.solver("tr_inner_", "KSP", "cg, its metric, to 1e-13");
  options.solver("spec_newton_", "EPS", "krylovschur, the largest delta of Theorem 2");
  options.solver("optimum_", "TAO", "bntr, the convex optimum of classification losses");
  options.solver("limit_lambda_", "EPS", "krylovschur, largest eigenvalue of D");
  options.solver("limit_features_", "EPS", "krylovschur, largest eigenvalue of the features' Gram matrix");
  options.solver("limit_curvature_", "EPS", "krylovschur, largest curvature along the flow");
}

ExitCode audit(Options& options, MPI_Comm comm) {
  const double begin = MPI_Wtime();
  const AuditOptions own = AuditOptions::from(options);
  if (own.run.empty()) throw usage("give -run DIR, the directory of a run (-help lists all options)");
  require_writable_output(comm, own.json);
  RunCheckpoints files(comm, own.run);
  VerdictTable table;
  AuditFacts facts;
  facts.run = own.run;
  if (files.points().size() < 2 && !files.unreadable().empty()) {  // nothing but damage to report
    options.reject_unknown();
    add_file_rows(files, table);
    check_mpi(MPI_Comm_size(comm, &facts.ranks));
    return report(comm, table, facts, own.json);
  }
  require_two_points(files);
  const std::size_t reference = reference_point(files);
  const TrainSettings settings = recall_settings(options, *files.open(reference));
  declare_audit_solvers(options);
  require_data(comm, settings);
  Subject subject(comm, settings, *files.open(reference));
  Audit run(subject, files, own.replay_steps);
  options.reject_unknown();
  if (subject.grid().rank() == 0) print_header(subject, files, own);
  run.go();
  add_file_rows(files, table);
  run.judge(table);
  facts.ranks = subject.grid().size();
  facts.grid =
      std::to_string(subject.grid().feature_ranks()) + "x" + std::to_string(subject.grid().sample_ranks());
  facts.checkpoints = static_cast<Index>(files.points().size());
  facts.first_step = files.points().front().step;
  facts.last_step = files.points().back().step;
  facts.replayed_steps = run.replayed();
  facts.seconds = MPI_Wtime() - begin;
  return report(comm, table, facts, own.json);
}

}  // namespace poise
