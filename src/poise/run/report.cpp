#include "poise/run/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "poise/base/options.hpp"

namespace poise {
namespace {

std::string number(double value, const char* format) {
  if (!std::isfinite(value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds)) return "-";
  const auto whole = std::lround(seconds);
  char text[48];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%ldh%02ldm", whole / 3600, whole / 60 % 60);
  } else if (whole >= 60) {
    std::snprintf(text, sizeof text, "%ldm%02lds", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%.1fs", seconds);
  }
  return text;
}

}  // namespace

Report::Report(Experiment& experiment, const TrainSettings& settings, const std::string& run)
    : experiment_(experiment),
      settings_(settings),
      run_(run),
      certificate_(experiment.network().certificate(experiment.theta())),
      warm_bytes_(experiment.network().warm_bytes()),
      speaks_(experiment.grid().rank() == 0) {}

double Report::progress(const HistoryRow& row) const {
  const double time = experiment_.end_time();
  const auto steps = static_cast<double>(experiment_.max_steps());
  const double by_time = time > 0.0 ? row.t / time : 1.0;
  const double by_steps = steps > 0.0 ? row.step / steps : 1.0;
  return std::max(by_time, by_steps);
}

void Report::row(const HistoryRow& row, bool last) {
  if (!speaks_) return;
  const double now = progress(row);
  if (last_step_ >= 0.0) {
    const bool printed_already = last && row.step == last_step_;
    const bool soon = !last && now < last_progress_ + 0.05 && row.wall_seconds < last_time_ + 5.0;
    if (printed_already || soon) return;
  }
  const double left = seconds_left(row, now);
  // Without a global κ the bound with the integrated rate is the sharp one.
  const double bound = std::isfinite(row.kappa) ? row.bound : row.bound_integrated;
  const bool accuracy = experiment_.has_accuracy();
  const std::string train = accuracy ? number(100.0 * row.train_accuracy, "%.2f%%") : "-";
  const std::string test =
      accuracy ? number(100.0 * row.test_accuracy, "%.2f%%") : number(row.test_loss, "%.4g");
  const bool audit = experiment_.audit() != nullptr;
  std::printf(
      "%8.0f %10.5g %12.6g %11s %11s %10s %8s %8s %8s\n", row.step, experiment_.batches() ? row.epoch : row.t,
      row.loss, number(audit ? row.loss_excess : row.grad_norm, "%.4g").c_str(),
      number(audit ? bound : row.contraction, "%.4g").c_str(),
      audit ? number(row.lambda_min, "%.5f").c_str() : number(row.equilibrium_iterations, "%.0f").c_str(),
      train.c_str(), test.c_str(), duration(left).c_str());
  std::fflush(stdout);
}

/// From the progress since the row that was printed before: a flow that has become stiff is not what it was.
double Report::seconds_left(const HistoryRow& row, double now) {
  const double done = now - last_progress_, seconds = row.wall_seconds - last_time_;
  const bool first = last_step_ < 0.0;
  last_progress_ = now;
  last_step_ = row.step;
  last_time_ = row.wall_seconds;
  if (first || !(done > 0.0) || !settings_.dynamics->ends_at_time())
    return std::nan("");  // ends where it converges
  return seconds / done * std::max(0.0, 1.0 - now);
}

void Report::print_fallbacks(const WatchedObjective::Tally& fallbacks) const {
  if (fallbacks.gradients > 0)
    std::printf("the ladder of solvers was needed for %s and %s, in %s\n",
                (std::to_string(fallbacks.equilibrium) + " equilibria").c_str(),
                plural(fallbacks.adjoint, "adjoint").c_str(),
                plural(fallbacks.gradients, "gradient").c_str());
  const Index reductions = experiment_.state().reductions;
  if (reductions > 0)
    std::printf("the step size was halved %s, to %s of -step_size\n", plural(reductions, "time").c_str(),
                to_text(experiment_.state().step_scale).c_str());
}

void Report::print_checkpoints(const CheckpointCost& checkpoints, double seconds) {
  const std::string left_out =
      checkpoints.left_out() > 0 ? ", " + std::to_string(checkpoints.left_out()) + " left out" : "";
  std::printf("%s in %s, %.1f %% of the time%s\n", plural(checkpoints.written(), "checkpoint").c_str(),
              duration(checkpoints.seconds()).c_str(), 100.0 * checkpoints.seconds() / seconds,
              left_out.c_str());
}

const char* Report::reason(StopReason reason) {
  switch (reason) {
    case StopReason::reached_time:
      return "reached the end time";
    case StopReason::reached_steps:
      return "reached the last step";
    case StopReason::converged:
      return "converged";
    case StopReason::converged_to_rounding:
      return "converged to the rounding of the loss";
    case StopReason::stopped_by_observer:
      break;
  }
  return "stopped early";
}

const char* Report::asker(Interruptions::Stop who) {
  return who == Interruptions::Stop::signal ? "a signal" : "the deadline";
}

void Report::summary(const HistoryRow& first, const HistoryRow& last, StopReason reason, double seconds,
                     const WatchedObjective::Tally& fallbacks, const CheckpointCost& checkpoints) const {
  if (!speaks_) return;
  // -steps has a default, which may end a run whose time somebody has asked for.
  const bool early = reason == StopReason::reached_steps && std::isfinite(experiment_.end_time()) &&
                     last.t < experiment_.end_time();
  const std::string before =
      early ? " (-steps), before the end time " + to_text(experiment_.end_time()) : std::string();
  std::printf("\n%s%s: t = %.6g after %s and %s, %s\n", Report::reason(reason), before.c_str(), last.t,
              plural(static_cast<Index>(last.step), "step").c_str(),
              plural(experiment_.state().gradients, "gradient").c_str(), duration(seconds).c_str());
  std::printf("loss %.6g -> %.6g", first.loss, last.loss);
  if (std::isfinite(last.loss_excess))
    std::printf(", excess %.4g -> %.4g", first.loss_excess, last.loss_excess);
  if (experiment_.has_accuracy() && std::isfinite(last.test_accuracy))
    std::printf(", accuracy %.2f%% (train) %.2f%% (test)", 100.0 * last.train_accuracy,
                100.0 * last.test_accuracy);
  std::printf("\n");
  print_fallbacks(fallbacks);
  print_checkpoints(checkpoints, seconds);
  if (LiveAudit* audit = experiment_.audit()) {
    std::printf("verdict: %s\n", audit->rates().verdict().c_str());
    const std::string advice = audit->rates().held() ? "" : settings_.dynamics->violation_advice();
    if (!advice.empty()) std::printf("%s\n", advice.c_str());
  }
  std::printf("run directory: %s\n", run_.c_str());
  std::fflush(stdout);
}

void Report::nothing_to_do(const DynamicsState& state) const {
  if (!speaks_) return;
  const bool past = state.t > experiment_.end_time() || state.step > experiment_.max_steps();
  std::printf(
      "nothing to do: the run is at step %s, t = %s, %s; it stays as it is. Give a later -time or -steps\n",
      std::to_string(state.step).c_str(), to_text(state.t).c_str(),
      past ? "past the end that is asked for now" : "its end");
  std::fflush(stdout);
}

void Report::asked_to_stop(Interruptions::Stop who) const {
  if (!speaks_) return;
  std::printf("asked to stop by %s; go on with -run %s -resume\n", asker(who), run_.c_str());
  std::fflush(stdout);
}

}  // namespace poise
