#include "poise/run/experiment.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/run/start_from.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {

void KeptPoint::keep(const Point& point) {
  if (empty()) {
    theta_ = duplicate(point.theta);
    for (const auto& [name, vec] : point.vectors) vectors_.emplace_back(name, duplicate(vec));
  }
  check(VecCopy(point.theta, theta_.get()));
  for (std::size_t i = 0; i < vectors_.size(); ++i)
    check(VecCopy(point.vectors[i].second, vectors_[i].second.get()));
  state_ = point.state;
  interval_ = point.interval;
  best_ = point.best;
  audit_ = point.audit;
}

Point KeptPoint::point() const {
  Point point{theta_.get(), state_, interval_, best_, {}, audit_};
  for (const auto& [name, vec] : vectors_) point.vectors.emplace_back(name, vec.get());
  return point;
}

void KeptEvaluation::keep(const DynamicsState& at, Vec gradient_there, const Evaluation& found) {
  if (!gradient) gradient = duplicate(gradient_there);
  check(VecCopy(gradient_there, gradient.get()));
  state = at;
  evaluation = found;
  is_set = true;
}

Experiment::Experiment(MPI_Comm comm, const TrainSettings& settings, const Checkpoint* checkpoint,
                       const Checkpoint* start)
    : grid_(comm, settings.feature_ranks),
      data_(grid_, settings, checkpoint, start),
      network_(grid_, settings, data_.problem(), data_.features().width(), data_.graph()),
      objective_(network_.objective()),
      theta_(network_.layout().create()) {
  if (settings.audit)
    audit_ = std::make_unique<LiveAudit>(*network_.collapsed(), *network_.shallow_loss(), settings.seed);
  layout().initialise(theta_.get(), settings.seed, 1.0, settings.network.init_scale_b);
  read_limits(settings);
  dynamics_ = make_dynamics(settings, end_time_, max_steps_);
  if (checkpoint != nullptr)
    restore(*checkpoint);
  else if (start != nullptr)
    begin_at(*start);
}

void Experiment::begin_at(const Checkpoint& start) {
  require_same_parameters(start, layout());
  restore_parameters(start, layout(), theta_.get());
  origin_ = {std::filesystem::absolute(start.path()).lexically_normal().string(),
             start.integer("/state", "step")};
}

void Experiment::read_limits(const TrainSettings& settings) {
  end_time_ = settings.time;
  max_steps_ = settings.steps;
  patience_ = settings.patience;
  best_by_accuracy_ = settings.validation_by_accuracy;
  if (settings.batch > 0)
    batches_ = std::make_unique<Minibatches>(own_samples(grid_, problem().train), problem().train.total,
                                             settings.batch, settings.seed, settings.batch_remainder);
  const Index epoch = batches_ ? batches_->batches_per_epoch() : 1;
  record_every_ = settings.audit_every > 0 ? settings.audit_every : epoch;
  if (settings.epochs > 0) max_steps_ = std::min(max_steps_, settings.epochs * epoch);
  if (settings.epochs > 0 || !settings.dynamics->ends_at_time())
    end_time_ = std::numeric_limits<double>::infinity();
}

std::unique_ptr<Dynamics> Experiment::make_dynamics(const TrainSettings& settings, double end_time,
                                                    Index max_steps) {
  return settings.dynamics->make({objective_, theta_.get(), layout(), end_time, max_steps, batches_.get()});
}

Score Experiment::train_score(const Evaluation& evaluation) {
  Score score = evaluation.train;
  if (!has_accuracy()) {
    score.accuracy = std::numeric_limits<double>::quiet_NaN();
  } else if (std::isnan(score.accuracy)) {
    CollapsedModel& model = *network_.collapsed();
    (void)model.set_parameters(theta_.get());
    score.accuracy = network_.shallow_loss()->score(model.w(), problem().train).accuracy;
  }
  return score;
}

StopReason Experiment::advance(const Observer& observer) {
  return dynamics_->run(theta_.get(), state_, observer);
}

AuditPoint Experiment::audit_here(const DynamicsState& state, double gradient_norm) {
  return audit_->observe(state.step, state.t, theta_.get(), gradient_norm, state.local_error_sum);
}

Point Experiment::point(Vec theta, const DynamicsState& state) {
  return {theta, state, interval_, best_, dynamics_->vectors()};
}

Point Experiment::lasting_point(Vec theta, const DynamicsState& state) {
  Point lasting = point(theta, state);
  if (audit_) lasting.audit = audit_->state();
  return lasting;
}

double Experiment::measure(const Score& score) const {
  return best_by_accuracy_ ? score.accuracy : score.loss;
}

bool Experiment::is_better(const Score& validation) const {
  if (best_.step < 0 || std::isnan(measure(best_.validation))) return true;
  const double gain = measure(validation) - measure(best_.validation);
  return best_by_accuracy_ ? gain > 0.0 : gain < 0.0;
}

double Experiment::best_measure(const Score& validation) const {
  if (!validates()) return std::numeric_limits<double>::quiet_NaN();
  return measure(is_better(validation) ? validation : best_.validation);
}

bool Experiment::note_validation(const DynamicsState& state, const Score& validation, const Score& test) {
  const bool better = is_better(validation);
  if (better)
    best_ = {.step = state.step, .t = state.t, .validation = validation, .test = test};
  else
    ++best_.waited;
  return better;
}

namespace {

/// What the columns of a block count: the states that it acts on, or the features, or nothing (a bias).
std::string columns_axis(const ParameterBlock& block, Index m) {
  if (block.columns == 1) return "one";
  if (block.name == "V" || block.name == "W1") return "feature";
  return block.columns == m ? "state_in" : "column";
}

/// Adds the blocks of a Vec in the layout of θ, below `folder`. The pointers stay valid, because nothing
/// writes to the Vec before the snapshot is written.
void save_blocks(Snapshot& snapshot, const std::string& folder, const ParameterLayout& layout, Vec vec) {
  const ReadArray values(vec);
  const Index m = layout.width();
  for (const ParameterBlock& block : layout.blocks())
    snapshot.add_rows(folder + block.name, m, block.columns, layout.slice(), values.data() + block.offset,
                      layout.row_length(), "state " + columns_axis(block, m));
  snapshot.add_columns(folder + "B", layout.outputs(), m, layout.slice(),
                       values.data() + layout.readout_offset(), layout.row_length(), "output state");
}

void restore_blocks(const Checkpoint& checkpoint, const std::string& folder, const ParameterLayout& layout,
                    Vec vec) {
  WriteArray values(vec);
  const Index m = layout.width();
  for (const ParameterBlock& block : layout.blocks())
    checkpoint.read_rows(folder + block.name, m, block.columns, layout.slice(), values.data() + block.offset,
                         layout.row_length());
  checkpoint.read_columns(folder + "B", layout.outputs(), m, layout.slice(),
                          values.data() + layout.readout_offset(), layout.row_length());
}

void save_state(Snapshot& snapshot, const DynamicsState& state) {
  snapshot.add_integer("/state", "step", state.step);
  snapshot.add_real("/state", "t", state.t);
  snapshot.add_integer("/state", "gradients", state.gradients);
  snapshot.add_real("/dynamics", "next_step_size", state.next_step_size);
  snapshot.add_real("/dynamics", "local_error_sum", state.local_error_sum);
  snapshot.add_integer("/dynamics", "shown", state.shown ? 1 : 0);
  snapshot.add_real("/dynamics", "step_scale", state.step_scale);
  snapshot.add_integer("/dynamics", "reductions", state.reductions);
  snapshot.add_integer("/dynamics", "clipped", state.clipped);
  snapshot.add_real("/dynamics", "first_loss", state.first_loss);
  snapshot.add_real("/dynamics", "least_loss", state.least_loss);
  snapshot.add_integer("/dynamics", "least_step", state.least_step);
}

void restore_state(const Checkpoint& checkpoint, DynamicsState& state) {
  state.step = checkpoint.integer("/state", "step");
  state.t = checkpoint.real("/state", "t");
  state.gradients = checkpoint.integer("/state", "gradients");
  state.next_step_size = checkpoint.real("/dynamics", "next_step_size");
  state.local_error_sum = checkpoint.real("/dynamics", "local_error_sum");
  state.shown = checkpoint.integer("/dynamics", "shown") != 0;
  state.step_scale = checkpoint.real("/dynamics", "step_scale");
  state.reductions = checkpoint.integer("/dynamics", "reductions");
  state.clipped = checkpoint.integer("/dynamics", "clipped");
  if (checkpoint.has("/dynamics", "first_loss")) {  // older versions of Poise did not store it
    state.first_loss = checkpoint.real("/dynamics", "first_loss");
    state.least_loss = checkpoint.real("/dynamics", "least_loss");
    state.least_step = checkpoint.integer("/dynamics", "least_step");
  }
  const auto is_amount = [](double x) { return std::isfinite(x) && x >= 0; };
  if (state.step < 0 || state.gradients < 0 || state.reductions < 0 || state.clipped < 0 ||
      !is_amount(state.t) || !is_amount(state.next_step_size) || !(state.local_error_sum >= 0.0) ||
      !is_amount(state.step_scale))
    throw usage(checkpoint.path() + ": /state and /dynamics hold values that no run can have");
}

void save_interval(Snapshot& snapshot, const Interval& interval) {
  snapshot.add_integer("/interval", "gradients", interval.gradients);
  snapshot.add_real("/interval", "loss", interval.loss);
  snapshot.add_real("/interval", "accuracy", interval.accuracy);
  snapshot.add_real("/interval", "penalty", interval.penalty);
  snapshot.add_integer("/interval", "equilibrium_fallbacks", interval.equilibrium_fallbacks);
  snapshot.add_integer("/interval", "adjoint_fallbacks", interval.adjoint_fallbacks);
}

void restore_interval(const Checkpoint& checkpoint, Interval& interval) {
  interval.gradients = checkpoint.integer("/interval", "gradients");
  interval.loss = checkpoint.real("/interval", "loss");
  interval.accuracy = checkpoint.real("/interval", "accuracy");
  interval.penalty = checkpoint.real("/interval", "penalty");
  interval.equilibrium_fallbacks = checkpoint.integer("/interval", "equilibrium_fallbacks");
  interval.adjoint_fallbacks = checkpoint.integer("/interval", "adjoint_fallbacks");
}

void save_best(Snapshot& snapshot, const BestStep& best) {
  snapshot.add_integer("/validation", "best_step", best.step);
  snapshot.add_real("/validation", "best_t", best.t);
  snapshot.add_real("/validation", "best_loss", best.validation.loss);
  snapshot.add_real("/validation", "best_accuracy", best.validation.accuracy);
  snapshot.add_real("/validation", "best_test_loss", best.test.loss);
  snapshot.add_real("/validation", "best_test_accuracy", best.test.accuracy);
  snapshot.add_integer("/validation", "waited", best.waited);
}

BestStep restore_best(const Checkpoint& checkpoint) {
  const auto real = [&](const char* name) { return checkpoint.real("/validation", name); };
  const BestStep best{.step = checkpoint.integer("/validation", "best_step"),
                      .t = real("best_t"),
                      .validation = {real("best_loss"), real("best_accuracy")},
                      .test = {real("best_test_loss"), real("best_test_accuracy")},
                      .waited = checkpoint.integer("/validation", "waited")};
  if (best.waited < 0 || best.step > checkpoint.integer("/state", "step"))
    throw usage(checkpoint.path() + ": /validation holds values that no run can have");
  return best;
}

void save_audit(Snapshot& snapshot, const LiveAudit::State& state, const ParameterLayout& layout) {
  snapshot.add_array("/audit/rates", {static_cast<Index>(state.rates.size())}, state.rates, "rate");
  if (state.columns == 0) return;
  snapshot.add_columns("/audit/eigenvectors", state.columns, layout.width(), layout.slice(),
                       state.eigenvectors.data(), state.columns, "eigenvector state");
}

LiveAudit::State restore_audit(const Checkpoint& checkpoint, const ParameterLayout& layout) {
  LiveAudit::State state{.rates = checkpoint.read_array("/audit/rates", {-1})};
  if (!checkpoint.has("/audit/eigenvectors")) return state;
  checkpoint.require_dims("/audit/eigenvectors", {-1, layout.width()});
  state.columns = checkpoint.dims("/audit/eigenvectors")[0];
  if (state.columns > 2 * layout.outputs()) throw usage(checkpoint.path() + ": too many eigenvectors");
  state.eigenvectors.resize(static_cast<std::size_t>(layout.slice().size() * state.columns));
  checkpoint.read_columns("/audit/eigenvectors", state.columns, layout.width(), layout.slice(),
                          state.eigenvectors.data(), state.columns);
  return state;
}

}  // namespace

void restore_parameters(const Checkpoint& checkpoint, const ParameterLayout& layout, Vec theta) {
  restore_blocks(checkpoint, "/parameters/", layout, theta);
}

void Experiment::save(Snapshot& snapshot, const Point& point) {
  save_blocks(snapshot, "/parameters/", layout(), point.theta);
  for (const auto& [name, vec] : point.vectors)
    save_blocks(snapshot, "/dynamics/" + name + "/", layout(), vec);
  save_state(snapshot, point.state);
  save_interval(snapshot, point.interval);
  if (validates()) save_best(snapshot, point.best);
  data_.save(snapshot);
  if (!origin_.path.empty()) {
    snapshot.add_text("/state", "start_path", origin_.path);
    snapshot.add_integer("/state", "start_step", origin_.step);
  }
  if (audit_) {
    audit_state_ = point.audit ? *point.audit : audit_->state();
    save_audit(snapshot, audit_state_, layout());
  }
}

void Experiment::restore_point(const Checkpoint& checkpoint) {
  static const LogEvent event("CheckpointRead");
  const auto scope = event.begin();
  restore_parameters(checkpoint, layout(), theta_.get());
  for (const auto& [name, vec] : dynamics_->vectors())
    restore_blocks(checkpoint, "/dynamics/" + name + "/", layout(), vec);
  restore_state(checkpoint, state_);
  restore_interval(checkpoint, interval_);
  if (validates()) best_ = restore_best(checkpoint);
  objective_.expect_repetition();
}

void Experiment::restore(const Checkpoint& checkpoint) {
  const auto stage = Stages::get().checkpoints.begin();
  restore_point(checkpoint);
  if (checkpoint.has("/state", "start_path"))
    origin_ = {checkpoint.text("/state", "start_path"), checkpoint.integer("/state", "start_step")};
  if (audit_) audit_->restore(restore_audit(checkpoint, layout()));
}

}  // namespace run
}  // namespace poise
