#include "poise/run/recorder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/options.hpp"
#include "poise/base/output.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
inline namespace run {
namespace {

struct Column {
  std::string name;
  double HistoryRow::*member;
  ColumnMeaning meaning;
};

// Valid ranges of the columns.
constexpr double none = std::numeric_limits<double>::infinity();

/// All columns, in the order of the file.
const std::vector<Column> table{
    {"step", &HistoryRow::step, {"step of the integrator", "1", 0, none}},
    {"t", &HistoryRow::t, {"time of the flow; of the scaled problem if targets are scaled", "1", 0, none}},
    {"epoch", &HistoryRow::epoch, {"passes over the training samples", "1", 0, none}},
    {"loss", &HistoryRow::loss, {"training loss L, in the unit of the data", "1", -none, none}},
    {"loss_excess",
     &HistoryRow::loss_excess,
     {"L - L*, the training loss above the global optimum", "1", -none, none}},
    {"penalty", &HistoryRow::penalty, {"penalty of the Jacobian, not part of the loss", "1", 0, none}},
    {"grad_norm",
     &HistoryRow::grad_norm,
     {"2-norm of the gradient with respect to all parameters, of the scaled problem", "1", 0, none}},
    {"train_accuracy",
     &HistoryRow::train_accuracy,
     {"share of the training samples with the right predicted class", "1", 0, 1}},
    {"test_loss",
     &HistoryRow::test_loss,
     {"loss of the test samples, in the unit of the data", "1", -none, none}},
    {"test_accuracy",
     &HistoryRow::test_accuracy,
     {"share of the test samples with the right predicted class", "1", 0, 1}},
    {"validation_loss",
     &HistoryRow::validation_loss,
     {"loss of the validation samples, in the unit of the data", "1", -none, none}},
    {"validation_accuracy",
     &HistoryRow::validation_accuracy,
     {"share of the validation samples with the right predicted class", "1", 0, 1}},
    {"validation_best",
     &HistoryRow::validation_best,
     {"best validation measure so far (-validation_measure)", "1", -none, none}},
    {"lambda_min", &HistoryRow::lambda_min, {"smallest eigenvalue of the dynamics matrix D", "1", 0, none}},
    {"lambda_T", &HistoryRow::lambda_T, {"infimum of lambda_min over the times so far", "1", 0, none}},
    {"lambda_floor",
     &HistoryRow::lambda_floor,
     {"lower bound of lambda_min for all parameters", "1", 0, none}},
    {"kappa", &HistoryRow::kappa, {"kappa of the bound of Theorem 1", "1", 0, none}},
    {"kappa_measured",
     &HistoryRow::kappa_measured,
     {"squared norm of the gradient of the shallow loss over L - L*", "1", 0, none}},
    {"bound", &HistoryRow::bound, {"largest L - L* that Theorem 1 allows", "1", 0, none}},
    {"bound_integrated",
     &HistoryRow::bound_integrated,
     {"largest L - L* by the sharper bound, with the integral of lambda_min", "1", 0, none}},
    {"contraction",
     &HistoryRow::contraction,
     {"proven bound of the norm of dh/dz; below 1 the equilibria are well posed", "1", 0, none}},
    {"step_size",
     &HistoryRow::step_size,
     {"step size of descent, or the next step of the flow", "1", 0, none}},
    {"equilibrium_iterations",
     &HistoryRow::equilibrium_iterations,
     {"iterations of the equilibrium solves of the last gradient", "1", 0, none}},
    {"adjoint_iterations",
     &HistoryRow::adjoint_iterations,
     {"iterations of the adjoint solves of the last gradient", "1", 0, none}},
    {"equilibrium_fallbacks",
     &HistoryRow::equilibrium_fallbacks,
     {"samples since the last row whose equilibrium another solver of the ladder found", "1", 0, none}},
    {"adjoint_fallbacks",
     &HistoryRow::adjoint_fallbacks,
     {"samples since the last row whose adjoint another solver of the ladder found", "1", 0, none}},
    {"gradient_cosine",
     &HistoryRow::gradient_cosine,
     {"cosine between the gradient in use and the exact gradient", "1", -1, 1}},
    {"gradient_error",
     &HistoryRow::gradient_error,
     {"relative distance of the gradient in use from the exact gradient", "1", 0, none}},
    {"wall_seconds",
     &HistoryRow::wall_seconds,
     {"wall-clock time since the run began, over all resumptions", "s", 0, none}}};

}  // namespace

const std::vector<std::string>& HistoryRow::columns() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Column& column : table) all.push_back(column.name);
    return all;
  }();
  return names;
}

std::vector<double> HistoryRow::values() const {
  std::vector<double> all;
  for (const Column& column : table) all.push_back(this->*column.member);
  return all;
}

std::map<std::string, ColumnMeaning> HistoryRow::meanings() {
  std::map<std::string, ColumnMeaning> all;
  for (const Column& column : table) all.emplace(column.name, column.meaning);
  return all;
}

void Recorder::gather(const Evaluation& evaluation) {
  Interval& interval = experiment_.interval();
  const auto tally = experiment_.objective().take();
  ++interval.gradients;
  interval.loss += evaluation.train.loss;
  interval.accuracy += evaluation.train.accuracy;
  interval.penalty += evaluation.penalty;
  interval.equilibrium_fallbacks += tally.equilibrium;
  interval.adjoint_fallbacks += tally.adjoint;
  fallbacks_.equilibrium += tally.equilibrium;
  fallbacks_.adjoint += tally.adjoint;
  fallbacks_.gradients += tally.gradients;
}

HistoryRow Recorder::measure(const DynamicsState& state, Vec gradient, const Evaluation& evaluation) {
  HistoryRow row;
  row.step = static_cast<double>(state.step);
  row.t = state.t;
  check(VecNorm(gradient, NORM_2, &row.grad_norm));
  row.step_size = state.step_size;
  measure_losses(row, evaluation);
  measure_solves(row, evaluation);
  measure_certificate(row);
  measure_gradient(row, state, gradient);
  audit(row, state);
  experiment_.interval() = {};
  return row;
}

/// Losses are in the unit of the data. With minibatches or dropout the training columns are means over the
/// steps since the last row, each with its own batch and dropout.
void Recorder::measure_losses(HistoryRow& row, const Evaluation& evaluation) {
  const Interval& interval = experiment_.interval();
  const bool penalised = settings_.network.jacobian_weight > 0.0;
  const double unit = experiment_.problem().loss_unit;
  const Minibatches* batches = experiment_.batches();
  if (batches != nullptr) row.epoch = row.step / static_cast<double>(batches->batches_per_epoch());
  if (batches != nullptr || settings_.network.has_dropout()) {
    const auto count = static_cast<double>(interval.gradients);
    row.loss = unit * interval.loss / count;
    if (experiment_.has_accuracy()) row.train_accuracy = interval.accuracy / count;
    if (penalised) row.penalty = unit * interval.penalty / count;
  } else {
    const Score train = experiment_.train_score(evaluation);
    row.loss = unit * train.loss;
    row.train_accuracy = train.accuracy;
    if (penalised) row.penalty = unit * evaluation.penalty;
  }
  measure_held_out(row);
}

void Recorder::measure_held_out(HistoryRow& row) {
  static const LogEvent event("TestEvaluation");
  const auto scope = event.begin();
  const Problem& problem = experiment_.problem();
  if (problem.validation.total > 0) {
    const Score found = score(problem.validation);
    row.validation_loss = found.loss;
    row.validation_accuracy = found.accuracy;
  }
  if (problem.test.total > 0) {
    const Score found = score(problem.test);
    row.test_loss = found.loss;
    row.test_accuracy = found.accuracy;
  }
}

/// In the unit of the data; the accuracy is NaN if the loss has no classes.
Score Recorder::score(const SampleSet& samples) {
  Score score = experiment_.objective().score(experiment_.theta(), samples);
  score.loss *= experiment_.problem().loss_unit;
  if (!experiment_.has_accuracy()) score.accuracy = HistoryRow::none;
  return score;
}

void Recorder::measure_solves(HistoryRow& row, const Evaluation& evaluation) const {
  row.equilibrium_iterations = static_cast<double>(evaluation.equilibrium.iterations);
  row.adjoint_iterations = static_cast<double>(evaluation.adjoint.iterations);
  if (!experiment_.network().solves_equilibria()) return;
  row.equilibrium_fallbacks = static_cast<double>(experiment_.interval().equilibrium_fallbacks);
  row.adjoint_fallbacks = static_cast<double>(experiment_.interval().adjoint_fallbacks);
}

void Recorder::measure_certificate(HistoryRow& row) {
  const Certificate certificate = experiment_.network().certificate(experiment_.theta());
  if (certificate.norm.empty()) return;
  row.contraction = certificate.contraction;
  const bool passed = last_contraction_ > 0.0 && last_contraction_ < 1.0 && !certificate.well_posed();
  if (passed && experiment_.grid().rank() == 0)
    warn(fmt::format(
        "at step {:.0f} the free weights have passed the bound: the Jacobian's norm is at most {}, "
        "no longer below 1; unique equilibria are not certified, every solve is checked",
        row.step, to_text(certificate.contraction)));
  // Keeps the bound once it is above 1, so that the warning comes only once.
  if (!(last_contraction_ >= 1.0)) last_contraction_ = certificate.contraction;
}

void Recorder::measure_gradient(HistoryRow& row, const DynamicsState& state, Vec gradient) {
  Objective* reference = experiment_.network().reference();
  const Index every = settings_.network.gradient_check;
  if (reference == nullptr || state.step / experiment_.record_every() % every != 0) return;
  if (!exact_) exact_ = duplicate(gradient);
  try {
    if (const Minibatches* batches = experiment_.batches())
      (void)reference->value_and_gradient(experiment_.theta(), exact_.get(), batches->at(state.step));
    else
      (void)reference->value_and_gradient(experiment_.theta(), exact_.get());
  } catch (const Error& error) {
    if (!is_failed_evaluation(error)) throw;
    return;  // no exact gradient exists here: an unrolled network may have no equilibria
  }
  double inner = 0.0, norm = 0.0, difference = 0.0;
  check(VecDot(gradient, exact_.get(), &inner));
  check(VecNorm(exact_.get(), NORM_2, &norm));
  check(VecAXPY(exact_.get(), -1.0, gradient));
  check(VecNorm(exact_.get(), NORM_2, &difference));
  if (norm == 0.0 || row.grad_norm == 0.0) return;
  row.gradient_cosine = std::clamp(inner / norm / row.grad_norm, -1.0, 1.0);  // rounding
  row.gradient_error = difference / norm;
}

void Recorder::audit(HistoryRow& row, const DynamicsState& state) {
  LiveAudit* audit = experiment_.audit();
  if (audit == nullptr) return;
  const auto stage = Stages::get().audit.begin();
  const AuditPoint point = experiment_.audit_here(state, row.grad_norm);
  if (audit->reference() != nullptr) row.loss_excess = point.sample.excess;
  row.lambda_min = point.sample.lambda_min;
  row.lambda_T = point.row.lambda_T;
  row.lambda_floor = point.row.floor;
  row.kappa = audit->constants().kappa;
  row.kappa_measured = point.row.kappa_measured;
  row.bound = point.row.bound;
  row.bound_integrated = point.row.bound_integrated;
  held_ = point.row.held;
}

}  // namespace run
}  // namespace poise
