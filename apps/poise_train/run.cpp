#include "poise_train/run.hpp"

#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/petsc/vec.hpp"
#include "poise_train/date.hpp"
#include "poise_train/provenance.hpp"

namespace poise {
namespace {

RunFile::Named attributes(Experiment& experiment) {
  const ProcessGrid& grid = experiment.grid();
  RunFile::Named named = provenance(grid.world());
  const RunFile::Named own{
      {"grid", std::to_string(grid.feature_ranks()) + "x" + std::to_string(grid.sample_ranks())},
      {"m", experiment.layout().width()},
      {"q", experiment.layout().outputs()},
      {"parameters", experiment.layout().width() * experiment.layout().row_length()},
      {"gradient", experiment.network().gradient_label()}};
  named.insert(named.end(), own.begin(), own.end());
  return named;
}

}  // namespace

Run::Run(Experiment& experiment, const TrainSettings& settings, const Options& options,
         const RunDirectory& directory, Interruptions& interruptions, const History& past)
    : experiment_(experiment),
      settings_(settings),
      directory_(directory),
      config_(options.resolved()),
      recorder_(experiment, settings),
      report_(experiment, settings, directory.path()),
      file_(experiment.grid().world(), directory.run_file(), HistoryRow::columns(), attributes(experiment),
            config_, past),
      interruptions_(interruptions),
      seconds_before_(past.rows.empty() ? 0.0 : past.column("wall_seconds").back()) {
  if (!experiment.state().shown) return;
  // Resumed: the point that it starts from is good, and saved.
  kept_.keep(experiment.point(experiment.theta(), experiment.state()));
  last_saved_ = experiment.state().step;
  past_end_ = !recorder_.due(last_saved_);
  last_path_ = checkpoint_path(directory.checkpoints(), last_saved_);
}

ExitCode Run::go() {
  report_.header();
  start_ = MPI_Wtime();
  StopReason reason = StopReason::stopped_by_observer;
  try {
    reason = experiment_.dynamics().run(
        experiment_.theta(), experiment_.state(),
        [this](const DynamicsState& state, Vec theta, Vec gradient, const Evaluation& evaluation) {
          return observe(state, theta, gradient, evaluation);
        });
  } catch (const Error& error) {
    if (!error.collective()) throw;
    const std::string rescued = rescue();
    file_.flush();  // the history up to here is not lost
    throw Error(error.code(), error.what() + rescued, true);
  }
  if (last_saved_ != experiment_.state().step)
    save(experiment_.point(experiment_.theta(), experiment_.state()));
  if (asked_to_stop_ == Interruptions::Stop::no) record_end();
  file_.flush();
  if (recorded_ > 0) {
    report_.row(last_, true);
    report_.summary(first_, last_, reason, MPI_Wtime() - start_, recorder_.fallbacks());
  }
  require_held();
  if (asked_to_stop_ != Interruptions::Stop::no) {
    report_.asked_to_stop(asked_to_stop_);
    return ExitCode::requeue;
  }
  directory_.mark_done("step " + std::to_string(experiment_.state().step) +
                       ", t = " + to_text(experiment_.state().t) + ", " + date("%Y-%m-%dT%H:%M:%SZ") + "\n");
  return ExitCode::done;
}

bool Run::checkpoint_at(Index step) const {
  return settings_.checkpoint_every > 0 && step % settings_.checkpoint_every == 0;
}

bool Run::observe(const DynamicsState& state, Vec theta, Vec gradient, const Evaluation& evaluation) {
  if (past_end_) file_.truncate_after(last_saved_ - 1);
  past_end_ = false;
  recorder_.gather(evaluation);
  unrecorded_.is_set = !recorder_.due(state.step);
  if (!unrecorded_.is_set) {
    record(state, gradient, evaluation);
  } else {
    if (!unrecorded_.gradient) unrecorded_.gradient = duplicate(gradient);
    check(VecCopy(gradient, unrecorded_.gradient.get()));
    unrecorded_.state = state;
    unrecorded_.evaluation = evaluation;
  }
  const Interruptions::Request request = interruptions_.poll();
  asked_to_stop_ = request.stop;
  const bool goes_on = recorder_.held() && asked_to_stop_ == Interruptions::Stop::no;
  const bool scheduled = checkpoint_at(state.step);
  const Point point = experiment_.point(theta, state);
  if (scheduled || request.checkpoint || !goes_on) save(point);
  kept_.keep(point);
  if (scheduled) forget(theta, gradient);
  // The next gradient of descent is that of the next step: where a checkpoint follows, without warm starts.
  if (settings_.dynamics == "descent" && checkpoint_at(state.step + 1)) experiment_.objective().forget();
  return goes_on;
}

/// The gradient of a flow here was computed with warm starts; a restart will not have them.
void Run::forget(Vec theta, Vec gradient) {
  WatchedObjective& objective = experiment_.objective();
  objective.forget();
  if (settings_.dynamics != "flow" || !experiment_.network().remembers()) return;
  objective.expect_repetition();
  (void)objective.value_and_gradient(theta, gradient);
}

void Run::record(const DynamicsState& state, Vec gradient, const Evaluation& evaluation) {
  HistoryRow row = recorder_.measure(state, gradient, evaluation);
  row.wall_seconds = seconds_before_ + MPI_Wtime() - start_;
  file_.append(row.values());
  if (recorded_++ == 0) first_ = row;
  last_ = row;
  report_.row(row, false);
}

// After the checkpoint of the end, which has the audit without this row: a run that is made longer goes on as
// if it had never ended.
void Run::record_end() {
  if (!unrecorded_.is_set) return;
  unrecorded_.is_set = false;
  record(unrecorded_.state, unrecorded_.gradient.get(), unrecorded_.evaluation);
}

void Run::save(const Point& point) {
  static const LogEvent event("Checkpoint");
  const auto scope = event.begin();
  file_.flush();  // history first: a checkpoint must not be ahead of it
  Snapshot snapshot;
  experiment_.save(snapshot, point);
  snapshot.add_integer("/state", "seed", static_cast<Index>(settings_.seed));
  snapshot.config = config_;
  last_path_ = write_checkpoint(experiment_.grid().world(), directory_.checkpoints(), point.state.step,
                                snapshot, static_cast<int>(settings_.checkpoint_keep));
  last_saved_ = point.state.step;
  interruptions_.saved();
}

std::string Run::rescue() {
  if (kept_.empty()) return {};  // the start itself failed
  const Point point = kept_.point();
  try {
    if (last_saved_ != point.state.step) save(point);
  } catch (const Error& error) {
    if (!error.collective()) throw;
    return std::string("; nor could the last good parameters be saved: ") + error.what();
  }
  std::string saved = "; the last good parameters are in " + last_path_ + " (step " +
                      std::to_string(point.state.step) + ", t = " + to_text(point.state.t) + ")";
  try {
    check(VecCopy(point.theta, experiment_.theta()));
    record_end();
  } catch (const Error& error) {
    if (!error.collective()) throw;
    saved += std::string("; that step could not be recorded: ") + error.what();
  }
  return saved;
}

void Run::require_held() const {
  if (experiment_.audit() == nullptr || experiment_.audit()->rates().held()) return;
  throw Error(
      ExitCode::failed,
      experiment_.audit()->rates().verdict() +
          (settings_.dynamics == "descent"
               ? "; descent follows the flow with small steps only: reduce -step_size"
               : "; is the integrator's error estimate right? Reduce -flow_ts_rtol and -flow_ts_atol") +
          "; " + directory_.run_file() + " holds the history up to there",
      true);
}

}  // namespace poise
