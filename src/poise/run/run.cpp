#include "poise/run/run.hpp"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/output.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/run/experiment.hpp"
#include "poise/run/provenance.hpp"

namespace poise {
inline namespace run {
namespace {

constexpr const char* time_format = "%Y-%m-%dT%H:%M:%SZ";

std::string grid_text(const ProcessGrid& grid) {
  return fmt::format("{}x{}", grid.feature_ranks(), grid.sample_ranks());
}

RunFile::Named attributes(Experiment& experiment, const NetworkSettings& network) {
  RunFile::Named named = provenance(experiment.grid().world());
  const RunFile::Named own{{"grid", grid_text(experiment.grid())},
                           {"m", experiment.layout().width()},
                           {"q", experiment.layout().outputs()},
                           {"parameters", experiment.layout().width() * experiment.layout().row_length()},
                           {"network", network.description()},
                           {"gradient", experiment.network().gradient_label()}};
  named.insert(named.end(), own.begin(), own.end());
  if (const EquilibriumObjective* solves = experiment.network().equilibrium()) {
    named.emplace_back("equilibrium_solver", "SNES " + solves->equilibrium().type());
    if (network.backward.exact()) named.emplace_back("adjoint_solver", "KSP " + solves->adjoint().type());
  }
  if (!experiment.origin().path.empty()) {
    named.emplace_back("start_from", experiment.origin().path);
    named.emplace_back("start_step", experiment.origin().step);
  }
  if (experiment.audit() == nullptr) return named;
  named.emplace_back("lambda_floor", experiment.audit()->constants().lambda_floor);
  if (const LeastSquaresReference* reference = experiment.audit()->reference()) {
    named.emplace_back("optimal_loss", experiment.problem().loss_unit * reference->optimal_loss());
    named.emplace_back("feature_rank", reference->rank());
    named.emplace_back("kappa", reference->kappa());
  }
  return named;
}

RunFile::Named new_attempt(Experiment& experiment, const RunFile::Config& before,
                           const RunFile::Config& now) {
  RunFile::Named named = describe_attempt(experiment.grid().world());
  const Index step = experiment.state().step;
  const RunFile::Named own{{"grid", grid_text(experiment.grid())},
                           {"options", changed_options(before, now)},
                           {"first_step", step},
                           {"last_step", step},
                           {"state", "running"},
                           {"reason", ""},
                           {"ended", date(time_format)}};
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
      config_kinds_(options.kinds()),
      recorder_(experiment, settings),
      report_(experiment, settings, directory.path()),
      file_(experiment.grid().world(), directory.run_file(), HistoryRow::columns(),
            attributes(experiment, settings.network),
            experiment.at_end() && !past.config.empty() ? past.config : config_, past,
            new_attempt(experiment, past.config, config_), options.kinds()),
      interruptions_(interruptions),
      seconds_before_(past.rows.empty() ? 0.0 : past.column("wall_seconds").back()),
      last_step_(experiment.state().step) {
  file_.set_meanings(HistoryRow::meanings());
  file_.set_thinning({.steps_a_row = experiment.record_every(), .record_every = settings.record_every});
  if (!experiment.state().shown) return;
  recall_best();
  // Resumed: the point that the run starts from is good, and it is saved.
  kept_.keep(experiment.point(experiment.theta(), experiment.state()));
  last_saved_ = experiment.state().step;
  past_end_ = !recorder_.due(last_saved_);
  last_path_ = checkpoint_path(directory.checkpoints(), last_saved_);
}

ExitCode Run::go() {
  const auto stage = Stages::get().training.begin();
  report_.header();
  start_ = steady_seconds();
  try {
    return finish(train());
  } catch (const std::exception& error) {
    note_end("failed", error.what());
    const auto* shared = dynamic_cast<const Error*>(&error);
    if (shared != nullptr && shared->collective()) file_.flush_if_possible();
    throw;
  }
}

/// The resumed run goes on with the best step that its checkpoint names, if the checkpoint of that step
/// exists.
void Run::recall_best() {
  best_saved_ = experiment_.best().step;
  if (best_saved_ < 0) return;
  const std::string path = checkpoint_path(directory_.checkpoints(), best_saved_);
  int exists = 0;
  on_root(experiment_.grid().world(), [&] {
    exists = std::filesystem::exists(path) ? 1 : 0;
    if (exists == 0)
      warn("the best step of the validation samples is searched again from here: its checkpoint " + path +
           " is missing");
  });
  check_mpi(MPI_Bcast(&exists, 1, MPI_INT, 0, experiment_.grid().world()));
  if (exists == 0) experiment_.best() = {};
  note_best();
}

StopReason Run::train() {
  if (experiment_.state().shown && experiment_.out_of_patience()) return StopReason::out_of_patience;
  try {
    return experiment_.advance(
        [this](const DynamicsState& state, Vec theta, Vec gradient, const Evaluation& evaluation) {
          return observe(state, theta, gradient, evaluation);
        });
  } catch (const Error& error) {
    if (!error.collective()) throw;
    throw error.with_message(error.what() + rescue());
  }
}

ExitCode Run::finish(StopReason reason) {
  if (reason == StopReason::stopped_by_observer && experiment_.out_of_patience())
    reason = StopReason::out_of_patience;
  if (experiment_.at_end()) asked_to_stop_ = Interruptions::Stop::no;  // the request came at the end
  if (last_saved_ != experiment_.state().step)
    save(experiment_.point(experiment_.theta(), experiment_.state()));
  record_end();
  note_progress();
  if (recorded_ > 0) {
    report_.row(last_, true);
    report_.summary(first_, last_, reason, seconds(), recorder_.fallbacks(), cost_);
  } else if (experiment_.at_end()) {
    report_.nothing_to_do(experiment_.state());
  }
  require_held();
  if (asked_to_stop_ != Interruptions::Stop::no) {
    note_end("stopped", Report::asker(asked_to_stop_));
    file_.flush();
    report_.asked_to_stop(asked_to_stop_);
    return ExitCode::requeue;
  }
  note_end("done", Report::reason(reason));
  file_.flush();
  const bool verified = outcome() != AuditOutcome::not_verified;
  const std::string verdict = experiment_.audit() == nullptr ? "" : "verdict: " + to_string(outcome()) + "\n";
  const BestStep& at = experiment_.best();
  const std::string best = at.step < 0 ? ""
                                       : fmt::format("best: step {}, t = {}, validation loss {}\n", at.step,
                                                     to_text(at.t), to_text(at.validation.loss));
  directory_.mark_done(fmt::format("step {}, t = {}, {}\n{}{}", experiment_.state().step,
                                   to_text(experiment_.state().t), date(time_format), verdict, best));
  return verified ? ExitCode::done : ExitCode::not_verified;
}

void Run::note_progress() {
  file_.note("last_step", last_step_);
  file_.note("ended", date(time_format));
  file_.note("seconds", seconds());
  file_.note("checkpoints", cost_.written());
  file_.note("checkpoints_left_out", cost_.left_out());
  file_.note("checkpoint_seconds", cost_.seconds());
}

AuditOutcome Run::outcome() const {
  return experiment_.audit() == nullptr ? AuditOutcome::held : experiment_.audit()->rates().outcome();
}

void Run::note_end(const char* state, const std::string& reason) {
  note_progress();
  if (experiment_.audit() != nullptr) {
    const RateAudit& rates = experiment_.audit()->rates();
    file_.note("verdict", to_string(outcome()));
    file_.set_attribute("verdict", to_string(outcome()));
    if (std::isfinite(rates.smallest_tightness()))
      file_.set_attribute("tightness", rates.smallest_tightness());
  }
  file_.note("state", state);
  file_.note("reason", reason);
}

bool Run::scheduled_at(Index step) const {
  const Index every = settings_.checkpoint_steps();
  return every > 0 && step % every == 0;
}

bool Run::affordable() {
  if (!settings_.spares_checkpoints()) return true;
  int affords = cost_.affords(seconds()) ? 1 : 0;
  check_mpi(MPI_Bcast(&affords, 1, MPI_INT, 0, experiment_.grid().world()));
  if (affords == 0) cost_.leave_out();
  return affords != 0;
}

bool Run::observe(const DynamicsState& state, Vec theta, Vec gradient, const Evaluation& evaluation) {
  last_step_ = state.step;
  if (past_end_) file_.truncate_after(last_saved_ - 1);
  past_end_ = false;
  recorder_.gather(evaluation);
  if (recorder_.due(state.step)) {
    unrecorded_.is_set = false;
    record(state, gradient, evaluation);
    watch_validation(state, theta);
  } else {
    unrecorded_.keep(state, gradient, evaluation);
  }
  const Interruptions::Request request = interruptions_.poll();
  asked_to_stop_ = request.stop;
  const bool goes_on =
      recorder_.held() && asked_to_stop_ == Interruptions::Stop::no && !experiment_.out_of_patience();
  const bool scheduled = scheduled_at(state.step);
  const Point point = experiment_.point(theta, state);
  const bool begins = state.step == 0 && !settings_.start_from.empty();
  const bool asked = request.checkpoint || !goes_on || begins;
  if (asked || (scheduled && affordable())) save(point);
  kept_.keep(point);
  last_loss_ = evaluation.train.loss + evaluation.penalty;
  const bool is_least = state.least_loss >= 0.0 && state.least_step == state.step;
  if (is_least && may_rise()) least_.keep(point);
  if (scheduled) forget(state.step, theta, gradient);
  // If the next gradient belongs to a step with a scheduled checkpoint, it is computed without warm starts.
  if (settings_.dynamics->one_gradient_a_step() && scheduled_at(state.step + 1))
    experiment_.objective().forget();
  return goes_on;
}

/// A flow follows its gradient, and audited steps are small: the last point is then the best one.
bool Run::may_rise() const {
  return !settings_.dynamics->integrates_flow() && experiment_.audit() == nullptr;
}

/// Computes the gradient of a flow again without warm starts, because a restart has none.
void Run::forget(Index step, Vec theta, Vec gradient) {
  WatchedObjective& objective = experiment_.objective();
  objective.forget();
  const DynamicsKind& dynamics = *settings_.dynamics;
  if (dynamics.one_gradient_a_step() || !dynamics.why_not_repeatable().empty()) return;
  if (!experiment_.network().remembers()) return;
  objective.expect_repetition();
  if (const Minibatches* batches = experiment_.batches())
    (void)objective.value_and_gradient(theta, gradient, batches->at(step));
  else
    (void)objective.value_and_gradient(theta, gradient);
}

void Run::record(const DynamicsState& state, Vec gradient, const Evaluation& evaluation) {
  const auto stage = Stages::get().recording.begin();
  HistoryRow row = recorder_.measure(state, gradient, evaluation);
  row.validation_best = experiment_.best_measure(row.validation());
  row.wall_seconds = seconds_before_ + seconds();
  note_progress();
  file_.append(row.values());
  if (recorded_++ == 0) first_ = row;
  last_ = row;
  report_.row(row, false);
}

void Run::watch_validation(const DynamicsState& state, Vec theta) {
  if (!experiment_.validates()) return;
  if (!experiment_.note_validation(state, last_.validation(), last_.test())) return;
  best_.keep(experiment_.lasting_point(theta, state));
  note_best();
}

void Run::note_best() {
  const BestStep& best = experiment_.best();
  if (best.step < 0) return;
  file_.set_attribute("best_step", best.step);
  file_.set_attribute("best_t", best.t);
  file_.set_attribute("best_validation_loss", best.validation.loss);
  if (experiment_.has_accuracy()) file_.set_attribute("best_validation_accuracy", best.validation.accuracy);
}

// Called after the last checkpoint was written, so that this row changes neither the audit nor the sums in
// the checkpoint: a run that is made longer continues as if it had not ended here.
void Run::record_end() {
  if (!unrecorded_.is_set) return;
  unrecorded_.is_set = false;
  record(unrecorded_.state, unrecorded_.gradient.get(), unrecorded_.evaluation);
}

void Run::save(const Point& point) {
  const auto stage = Stages::get().checkpoints.begin();
  const double begin = steady_seconds();
  file_.flush();  // history first: a checkpoint must not be ahead of it
  save_best(point.state.step);
  last_path_ = write(point, static_cast<int>(settings_.checkpoint_keep));
  last_saved_ = point.state.step;
  interruptions_.saved();
  cost_.add(steady_seconds() - begin);
}

/// Before the checkpoint that names it as the best one, so that a killed run never lacks it.
void Run::save_best(Index saved_next) {
  const Index step = experiment_.best().step;
  if (step < 0 || step == best_saved_) return;
  if (step != saved_next) (void)write(best_.point(), 0);
  best_saved_ = step;
}

/// Writes the checkpoint of a point. If `keep` > 0, deletes older ones; the best one stays.
std::string Run::write(const Point& point, int keep) {
  Snapshot snapshot;
  experiment_.save(snapshot, point);
  snapshot.add_integer("/state", "seed", static_cast<Index>(settings_.seed));
  snapshot.config = config_;
  snapshot.config_kinds = config_kinds_;
  const bool first = !settings_.start_from.empty();  // the audit needs the weights of the start
  return write_checkpoint(experiment_.grid().world(), directory_.checkpoints(), point.state.step, snapshot,
                          {.newest = keep, .best = experiment_.best().step, .first = first});
}

std::string Run::rescue() {
  if (kept_.empty()) return {};  // the first evaluation failed
  const Point point = kept_.point();
  if (unrecorded_.is_set && unrecorded_.state.step != point.state.step) unrecorded_.is_set = false;
  try {
    if (last_saved_ != point.state.step) save(point);
  } catch (const Error& error) {
    if (!error.collective()) throw;
    return std::string("; nor could the last good parameters be saved: ") + error.what();
  }
  std::string saved = fmt::format("; the last good parameters are in {} (step {}, t = {})", last_path_,
                                  point.state.step, to_text(point.state.t));
  saved += save_least(point);
  try {
    check(VecCopy(point.theta, experiment_.theta()));
    record_end();
  } catch (const Error& error) {
    if (!error.collective()) throw;
    saved += std::string("; that step could not be recorded: ") + error.what();
  }
  return saved;
}

/// If the loss is now above its value at the start, saves the point of least loss, too.
std::string Run::save_least(const Point& last) {
  if (least_.empty() || !(last_loss_ > last.state.first_loss)) return {};
  const Point least = least_.point();
  if (least.state.step == last.state.step) return {};
  const std::string at =
      fmt::format(" least loss {} at step {}",
                  to_text(least.state.least_loss * experiment_.problem().loss_unit), least.state.step);
  try {
    save(least);
  } catch (const Error& error) {
    if (!error.collective()) throw;
    return "; the parameters of the" + at + " could not be saved: " + error.what();
  }
  return "; the parameters of the" + at + " are in " + last_path_;
}

void Run::require_held() const {
  if (experiment_.audit() == nullptr || experiment_.audit()->rates().held()) return;
  throw Error(ExitCode::failed,
              experiment_.audit()->rates().verdict() + "; " + settings_.dynamics->violation_cure() + "; " +
                  directory_.run_file() + " holds the history up to there",
              true);
}

}  // namespace run
}  // namespace poise
