#include "poise/run/report.hpp"

#include <fmt/format.h>
#include <slepcsys.h>

#include <algorithm>
#include <cmath>

#include "poise/base/options.hpp"
#include "poise/base/output.hpp"
#include "poise/base/text.hpp"
#include "poise/base/version.hpp"
#include "poise/io/dataset.hpp"
#include "poise/linalg/blas.hpp"

namespace poise {
inline namespace run {
namespace {

std::string number(const double& value, fmt::format_string<const double&> format) {
  return std::isfinite(value) ? fmt::format(format, value) : "-";
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds)) return "-";
  const auto whole = std::lround(seconds);
  if (whole >= 3600) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{:.1f}s", seconds);
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
  // Without a global κ the bound with the integrated rate is the sharper bound.
  const double bound = std::isfinite(row.kappa) ? row.bound : row.bound_integrated;
  const bool accuracy = experiment_.has_accuracy();
  const std::string train = accuracy ? number(100.0 * row.train_accuracy, "{:.2f}%") : "-";
  const auto held_out = [&](double share, double loss) {
    return accuracy ? number(100.0 * share, "{:.2f}%") : number(loss, "{:.4g}");
  };
  std::string valid;  // the column is there if there are validation samples
  if (experiment_.validates())
    valid = fmt::format(" {:>8}", held_out(row.validation_accuracy, row.validation_loss));
  const bool audit = experiment_.audit() != nullptr;
  say_and_log(
      "%8.0f %10.5g %12.6g %11s %11s %10s %8s%s %8s %8s\n", row.step,
      experiment_.batches() ? row.epoch : row.t, row.loss,
      number(audit ? row.loss_excess : row.grad_norm, "{:.4g}").c_str(),
      number(audit ? bound : row.contraction, "{:.4g}").c_str(),
      audit ? number(row.lambda_min, "{:.5f}").c_str() : number(row.equilibrium_iterations, "{:.0f}").c_str(),
      train.c_str(), valid.c_str(), held_out(row.test_accuracy, row.test_loss).c_str(),
      duration(left).c_str());
  flush_output();
}

/// Estimated from the progress since the row printed before, because a flow slows down when it becomes stiff.
double Report::seconds_left(const HistoryRow& row, double now) {
  const double done = now - last_progress_, seconds = row.wall_seconds - last_time_;
  const bool first = last_step_ < 0.0;
  last_progress_ = now;
  last_step_ = row.step;
  last_time_ = row.wall_seconds;
  if (first || !(done > 0.0) || !settings_.dynamics->ends_at_time())
    return std::nan("");  // the run ends when it converges
  return seconds / done * std::max(0.0, 1.0 - now);
}

void Report::print_fallbacks(const WatchedObjective::Tally& fallbacks) const {
  if (fallbacks.gradients > 0)
    say_and_log("the ladder of solvers was needed for %lld equilibria and %s, in %s\n",
                static_cast<long long>(fallbacks.equilibrium), plural(fallbacks.adjoint, "adjoint").c_str(),
                plural(fallbacks.gradients, "gradient").c_str());
  const Index reductions = experiment_.state().reductions;
  if (reductions > 0)
    say_and_log("the step size was halved %s, to %s of -step_size\n", plural(reductions, "time").c_str(),
                to_text(experiment_.state().step_scale).c_str());
}

void Report::print_checkpoints(const CheckpointCost& checkpoints, double seconds) {
  const std::string left_out =
      checkpoints.left_out() > 0 ? fmt::format(", {} left out", checkpoints.left_out()) : "";
  say_and_log("%s in %s, %.1f %% of the time%s\n", plural(checkpoints.written(), "checkpoint").c_str(),
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
    case StopReason::out_of_patience:
      return "the validation samples gained nothing for -patience recorded steps";
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
  // The default of -steps may end a run before its -time.
  const bool early = reason == StopReason::reached_steps && std::isfinite(experiment_.end_time()) &&
                     last.t < experiment_.end_time();
  const std::string before =
      early ? " (-steps), before the end time " + to_text(experiment_.end_time()) : std::string();
  say_and_log("\n%s%s: t = %.6g after %s and %s, %s\n", Report::reason(reason), before.c_str(), last.t,
              plural(static_cast<Index>(last.step), "step").c_str(),
              plural(experiment_.state().gradients, "gradient").c_str(), duration(seconds).c_str());
  say_and_log("loss %.6g -> %.6g", first.loss, last.loss);
  if (std::isfinite(last.loss_excess))
    say_and_log(", excess %.4g -> %.4g", first.loss_excess, last.loss_excess);
  if (experiment_.has_accuracy() && std::isfinite(last.test_accuracy))
    say_and_log(", accuracy %.2f%% (train) %.2f%% (test)", 100.0 * last.train_accuracy,
                100.0 * last.test_accuracy);
  say_and_log("\n");
  print_best();
  print_fallbacks(fallbacks);
  print_checkpoints(checkpoints, seconds);
  if (LiveAudit* audit = experiment_.audit()) {
    say_and_log("verdict: %s\n", audit->rates().verdict().c_str());
    const std::string advice = audit->rates().held() ? "" : settings_.dynamics->violation_advice();
    if (!advice.empty()) say_and_log("%s\n", advice.c_str());
  }
  say_and_log("run directory: %s\n", run_.c_str());
  flush_output();
}

void Report::print_best() const {
  const BestStep& best = experiment_.best();
  if (best.step < 0) return;
  say_and_log("best validation %s at step %lld, t = %.6g: loss %.6g",
              settings_.validation_by_accuracy ? "accuracy" : "loss", static_cast<long long>(best.step),
              best.t, best.validation.loss);
  if (experiment_.has_accuracy()) say_and_log(", accuracy %.2f%%", 100.0 * best.validation.accuracy);
  const bool tested = experiment_.problem().test.total > 0;
  if (tested) say_and_log(" (validation), loss %.6g", best.test.loss);
  if (tested && experiment_.has_accuracy()) say_and_log(", accuracy %.2f%%", 100.0 * best.test.accuracy);
  say_and_log(tested ? " (test)\n" : "\n");
}

void Report::nothing_to_do(const DynamicsState& state) const {
  if (!speaks_) return;
  const bool past = state.t > experiment_.end_time() || state.step > experiment_.max_steps();
  say_and_log(
      "nothing to do: the run is at step %lld, t = %s, %s; it stays as it is. Give a later -time or "
      "-steps%s\n",
      static_cast<long long>(state.step), to_text(state.t).c_str(),
      past ? "past the end that is asked for now" : "its end",
      experiment_.out_of_patience() ? ", or a larger -patience" : "");
  flush_output();
}

void Report::asked_to_stop(Interruptions::Stop who) const {
  if (!speaks_) return;
  say_and_log("asked to stop by %s; go on with -run %s -resume\n", asker(who), run_.c_str());
  flush_output();
}

namespace {

/// What happens to the samples after the last whole batch.
std::string remainder_text(const Minibatches& minibatches, bool kept) {
  if (minibatches.remainder() == 0) return {};
  return kept ? fmt::format(", the last of {}", minibatches.remainder())
              : fmt::format(
                    " ({} samples, different ones each time, are left out; -batch_remainder keep uses them)",
                    minibatches.remainder());
}

}  // namespace

void Report::header() const {
  if (!speaks_) return;
  say_and_log("poise-train %s (%s), PETSc %d.%d.%d, SLEPc %d.%d.%d\n", version().c_str(),
              git_commit().c_str(), PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, PETSC_VERSION_SUBMINOR,
              SLEPC_VERSION_MAJOR, SLEPC_VERSION_MINOR, SLEPC_VERSION_SUBMINOR);
  print_data();
  print_model();
  print_gradient();
  print_dynamics();
  print_ranks();
  say_and_log("  run       %s\n", run_.c_str());
  print_audit();
  const bool audit = experiment_.audit() != nullptr;
  say_and_log("\n%8s %10s %12s %11s %11s %10s %8s%s %8s %8s\n", "step", experiment_.batches() ? "epoch" : "t",
              "loss", audit ? "excess" : "gradient", audit ? "bound" : "contraction",
              audit ? "lambda_min" : "iterations", "train", experiment_.validates() ? "    valid" : "",
              "test", "left");
  flush_output();
}

void Report::print_model() const {
  const NetworkSettings& network = settings_.network;
  const ParameterLayout& layout = experiment_.layout();
  say_and_log("  model     %s, m = %lld, q = %lld, %lld parameters\n", network.description().c_str(),
              static_cast<long long>(layout.width()), static_cast<long long>(layout.outputs()),
              static_cast<long long>(layout.width() * layout.row_length()));
  if (!certificate_.norm.empty())
    say_and_log("  equilibria %s\n", certificate_text().c_str());
  else if (settings_.network.has_equilibrium_model())
    say_and_log("  equilibria no certificate is known: every solve is checked\n");
  print_digits();
}

/// Rounding in z = γWz + φ is multiplied by up to 1/(1 − γ): near γ = 1 any solver leaves few correct digits.
void Report::print_digits() const {
  constexpr double noted = 1e-4;
  const double distance = 1.0 - certificate_.contraction;
  if (certificate_.norm.empty() || !(distance > 0.0 && distance < noted)) return;
  const double digits = std::max(0.0, std::floor(-std::log10(0x1p-52 / distance)));
  say_and_log("  digits    about %g: rounding is multiplied by up to 1/(1 - contraction) = %.2g\n", digits,
              1.0 / distance);
}

std::string Report::certificate_text() const {
  const std::string norm = certificate_.norm == "1" ? "₁" : "₂";
  const std::string bound =
      "‖∂h/∂z‖" + norm + " ≤ " + to_text(std::round(certificate_.contraction * 1e6) / 1e6);
  if (certificate_.norm == "monotone" && !settings_.network.is_pointwise())
    return "well posed: strongly monotone with margin " + to_text(1.0 - certificate_.contraction);
  if (settings_.network.weights == WeightKind::monotone)
    return "well posed for every P, Q: I - W is monotone with margin " + to_text(settings_.network.margin);
  if (settings_.network.is_pointwise() && settings_.network.weights != WeightKind::free)
    return "well posed for every A: " + bound;
  return certificate_.well_posed() ? "well posed at the start: " + bound + ", watched"
                                   : "not certified: " + bound + ", equilibria are monitored";
}

void Report::print_gradient() const {
  const NetworkSettings& network = settings_.network;
  std::string text = network.objective + " objective";
  if (network.is_unrolled()) text += " of " + plural(network.depth, "layer");
  text += ", gradient " + experiment_.network().gradient_label();
  if (warm_bytes_ > 0.0) text += ", warm starts take " + brief(warm_bytes_ / 1e6, 3) + " MB per rank";
  say_and_log("  loss      %s, %s over the samples, %s\n", settings_.loss->name().c_str(),
              settings_.mean ? "mean" : "sum", text.c_str());
  print_solvers();
}

void Report::print_solvers() const {
  const EquilibriumObjective* objective = experiment_.network().equilibrium();
  if (objective == nullptr) return;
  const EquilibriumSolver& equilibrium = objective->equilibrium();
  say_and_log("  equilibrium  SNES %s, rtol %s (eq_)\n", equilibrium.type().c_str(),
              to_text(equilibrium.rtol()).c_str());
  const Backward& backward = settings_.network.backward;
  if (backward.exact())
    say_and_log("  adjoint      KSP %s, rtol %s (adj_)\n", objective->adjoint().type().c_str(),
                to_text(objective->adjoint().rtol()).c_str());
  else
    say_and_log("  adjoint      cut off after %s (-backward)\n", plural(backward.terms, "term").c_str());
}

void Report::print_dynamics() const {
  std::string batches;
  if (const Minibatches* minibatches = experiment_.batches())
    batches =
        fmt::format(", batches of {}, {} per epoch{}", settings_.batch, minibatches->batches_per_epoch(),
                    remainder_text(*minibatches, settings_.batch_remainder));
  say_and_log(
      "  dynamics  %s\n",
      settings_.dynamics->description(experiment_.end_time(), experiment_.max_steps(), batches).c_str());
}

void Report::print_ranks() const {
  const ProcessGrid& grid = experiment_.grid();
  const BlasInfo blas = blas_info();
  // The folder of a generic libblas.so.3 names the BLAS.
  const auto slash = blas.file.rfind('/', blas.file.rfind('/') - 1);
  say_and_log("  ranks     %d = %d over features x %d over samples; %s, %s per rank\n", grid.size(),
              grid.feature_ranks(), grid.sample_ranks(),
              blas.file.substr(slash == std::string::npos ? 0 : slash + 1).c_str(),
              plural(blas.threads, "BLAS thread").c_str());
}

namespace {

/// The report names an input if the features keep less than this share of its variance.
constexpr double little_kept = 0.5;
/// Ratio of class sizes above which a classifier may do well without ever choosing the small class.
constexpr double imbalance = 5.0;

std::string percent(double share) {
  return brief(100.0 * share, 3) + " %";
}

/// "3 (age), 5": numbers and names of the inputs; long lists are shortened.
std::string inputs_text(const std::vector<Index>& inputs, const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  std::string text;
  for (std::size_t k = 0; k < std::min(inputs.size(), most); ++k)
    text += (k == 0 ? "" : ", ") + class_text(inputs[k], names);
  return inputs.size() > most ? fmt::format("{} and {} more", text, inputs.size() - most) : text;
}

}  // namespace

void Report::print_data() const {
  const DatasetInfo& data = experiment_.data().info();
  const Index held_out = experiment_.problem().validation.total;
  const GraphNodes* graph = experiment_.data().graph();
  const std::string nodes =
      graph != nullptr ? plural(graph->rows.nodes, "node") + " (split " + to_text(settings_.split) + "), "
                       : "";
  say_and_log("  data      %s: %s%s, %s%s, %s, %s\n", data.path.c_str(), nodes.c_str(),
              plural(experiment_.problem().train.total, "training sample").c_str(),
              held_out > 0 ? (plural(held_out, "validation sample") + ", ").c_str() : "",
              plural(data.test_samples, "test sample").c_str(), plural(data.inputs, "input").c_str(),
              plural(data.outputs, data.classification ? "class" : "target").c_str());
  print_classes();
  print_features();
  print_targets();
}

void Report::print_classes() const {
  const std::vector<Index>& counts = experiment_.data().train_classes();
  if (counts.empty()) return;
  const std::vector<std::string>& names = experiment_.data().info().class_names;
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  const auto samples = static_cast<double>(experiment_.problem().train.total);
  const auto number = [&](auto place) { return class_text(place - counts.begin(), names); };
  std::string weights;
  if (!experiment_.data().class_weights().empty()) weights = ", weights " + settings_.class_weight;
  say_and_log("  classes   %s (class %s) to %s (class %s) of the training samples%s\n",
              percent(static_cast<double>(*least) / samples).c_str(), number(least).c_str(),
              percent(static_cast<double>(*most) / samples).c_str(), number(most).c_str(), weights.c_str());
  for (const std::string& warning : class_warnings(counts, experiment_.data().test_classes(), names))
    warn(experiment_.data().info().path + ": " + warning);
  const bool unequal = *least > 0 && static_cast<double>(*most) > imbalance * static_cast<double>(*least);
  if (unequal && weights.empty())
    say_and_log(
        "            the classes are of very different sizes: -class_weight balanced gives each the "
        "same weight in the training loss\n");
}

void Report::print_features() const {
  const DatasetInfo& data = experiment_.data().info();
  const Features& features = experiment_.data().features();
  say_and_log("  features  %s, %lld: %lld from %s%s\n", features.map().description().c_str(),
              static_cast<long long>(features.width()), static_cast<long long>(features.count()),
              plural(data.inputs, "input").c_str(), features.constant() ? " and the constant" : "");
  std::vector<Index> constant, reduced;
  const std::vector<double>& kept = features.numbers().kept_variance;
  for (Index j = 0; j < static_cast<Index>(kept.size()); ++j) {
    const double share = kept[static_cast<std::size_t>(j)];
    if (share == 0.0) constant.push_back(j);
    if (share > 0.0 && share < little_kept) reduced.push_back(j);
  }
  if (!constant.empty())
    say_and_log("            constant, so without effect: %s %s\n", constant.size() == 1 ? "input" : "inputs",
                inputs_text(constant, data.input_names).c_str());
  if (!reduced.empty())
    say_and_log(
        "            %s %s lose%s more than half of %s variance (-features_rank_cut, -features_width)\n",
        reduced.size() == 1 ? "input" : "inputs", inputs_text(reduced, data.input_names).c_str(),
        reduced.size() == 1 ? "s" : "", reduced.size() == 1 ? "its" : "their");
}

void Report::print_targets() const {
  const TargetScale& targets = experiment_.data().target_scale();
  if (!targets.is_set()) return;
  const bool centred =
      std::any_of(targets.shift.begin(), targets.shift.end(), [](double x) { return x != 0.0; });
  say_and_log(
      "  targets   %sdivided by %.6g for the optimiser: losses are in the unit of the data, t is the "
      "time of the scaled problem\n",
      centred ? "centred and " : "", targets.scale);
}

void Report::print_audit() const {
  LiveAudit* audit = experiment_.audit();
  if (audit == nullptr) return;
  const LeastSquaresReference* reference = audit->reference();
  const auto width = experiment_.layout().width();
  if (reference == nullptr) {
    say_and_log(
        "  audit     Theorem 1 with the measured kappa (this loss has no global kappa), L - 0 for L - L*, "
        "floor of lambda_min %.3g\n",
        audit->constants().lambda_floor);
    return;
  }
  say_and_log(
      "  audit     Theorem 1: kappa = %.6g, rank of the features %lld of %lld, L* = %.10g, floor of "
      "lambda_min %.3g\n",
      reference->kappa(), static_cast<long long>(reference->rank()), static_cast<long long>(width),
      experiment_.problem().loss_unit * reference->optimal_loss(), audit->constants().lambda_floor);
  if (reference->rank() == width) return;
  say_and_log(
      "            %s of the features %s singular values up to %.3g, %.1e of the largest, and count%s as "
      "0: kappa and L* refer to the remaining directions\n",
      plural(width - reference->rank(), "direction").c_str(), width - reference->rank() == 1 ? "has" : "have",
      reference->svd().cut(), reference->svd().cut() / reference->svd().largest(),
      width - reference->rank() == 1 ? "s" : "");
}

}  // namespace run
}  // namespace poise
