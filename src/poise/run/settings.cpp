#include "poise/run/settings.hpp"

#include <algorithm>
#include <limits>

#include "poise/base/text.hpp"
#include "poise/petsc/options_database.hpp"
#include "poise/run/run_options.hpp"
#include "poise/run/solvers.hpp"
#include "poise/run/start_from.hpp"
#include "poise/run/train_rules.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
namespace {

constexpr double most = 1e15;  // integers that a double holds exactly

const Role fixes_samples{Role::identity,
                         "the stored weights belong to the samples and features that they were fitted to"};
const Role fixes_steps{Role::identity, "the steps of the run depend on it"};
const Role fixes_audit{Role::identity,
                       "an audit covers the whole run, at the same interval of steps, or no part of it"};
const Role fixes_best{Role::identity, "the best point of the run was chosen by it"};
const Role where_it_ends{Role::end, "the schedule of step sizes depends on the end of the run"};

}  // namespace

void TrainSettings::read_data(Options& o) {
  const Options::Category category(o, "data", fixes_samples);
  data = o.text("data", "", "the data file (HDF5; poise-data makes and shows such files); must be given",
                Role{Role::free});
  train_samples = o.integer("train_samples", 0, {0, most}, "use only the first N training samples; 0: all");
  split = o.integer("split", 0, {0, 1e6},
                    "model graph: which split of the graph file says the training, validation and test nodes "
                    "(/masks; the first is 0)");
  seed = static_cast<std::uint64_t>(o.integer(
      "seed", 0, {0, most}, "seed of the initial weights, random features, minibatches and dropout"));
  features = FeatureSettings::from(o, seed);
}

void TrainSettings::read_loss(Options& o) {
  const Options::Category category(o, "loss", fixes_loss);
  loss = find_loss(o.choice("loss", "squared", loss_names(), "loss of a sample" + loss_help()));
  mean = o.choice("loss_scale", "mean", {"mean", "sum"},
                  "the loss is the mean or the sum of the samples' losses") == "mean";
  scale_targets = o.flag(
      "scale_targets", true,
      "squared loss of /targets: fit (target - mean)/scale, with one scale for all targets; losses are "
      "reported in the unit of the data; the time t belongs to the scaled problem");
  class_weight =
      o.text("class_weight", "none",
             "weights of the classes in the training loss; none: all weights are 1; balanced: "
             "samples/(classes x samples of the class); or one number above 0 per class, as in 1,2.5");
}

void TrainSettings::read_validation(Options& o) {
  const Options::Category category(o, "validation", fixes_samples);
  validation_fraction =
      o.real("validation_fraction", 0, {0, 0.99},
             "share of the training samples (of each class, if there are classes) that is held out as "
             "validation set, drawn with -seed; 0: the validation set of the data file "
             "(/validation_features), if it has one");
  validation_by_accuracy =
      o.choice("validation_measure", "loss", {"loss", "accuracy"},
               "what makes a step the best one so far: the least loss or the highest accuracy of the "
               "validation samples, among the recorded steps (-audit_every)",
               fixes_best) == "accuracy";
  patience = o.integer("patience", 0, {0, 2e9},
                       "end the run after this number of recorded steps without a better validation measure; "
                       "0: do not",
                       Role{Role::free});
}

TrainSettings TrainSettings::from(Options& o, const std::vector<std::string>& recalled) {
  TrainSettings s;
  DynamicsKinds kinds;
  s.read_data(o);
  s.network = NetworkSettings::from(o);
  s.read_loss(o);
  s.read_validation(o);
  s.read_dynamics(o, kinds);
  s.read_run(o);
  require_effect(o, train_rules(kinds), recalled);
  s.require_dropout(kinds);
  return s;
}

/// Other dynamics compare losses of several points in one step, or of points between steps.
void TrainSettings::require_dropout(const DynamicsKinds& kinds) const {
  if (!network.has_dropout() || dynamics->takes_dropout()) return;
  throw usage((network.dropout > 0.0 ? "-dropout " + to_text(network.dropout)
                                     : "-dropout_states " + to_text(network.dropout_states)) +
              " gives every step a loss of its own, but -dynamics " + dynamics->name() +
              " needs one loss for the whole run; leave it out, or give -dynamics " +
              join(kinds.names_where(&DynamicsKind::takes_dropout), ", ", " and "));
}

void TrainSettings::read_dynamics(Options& o, DynamicsKinds& kinds) {
  const Options::Category category(o, "dynamics", fixes_steps);
  dynamics =
      kinds.find(o.choice("dynamics", "flow", kinds.names(), "how the parameters move" + kinds.help()));
  steps = o.integer("steps", 1000000, {0, 2e9}, "the run ends after this number of steps", where_it_ends);
  const bool by_steps = o.settings().back().given;
  epochs = o.integer(
      "epochs", 0, {0, 2e9},
      "with -batch: the run ends after this number of passes over the data; 0: -time and -steps end the run",
      where_it_ends);
  time = o.real(
      "time",
      by_steps || epochs > 0 || !dynamics->ends_at_time() ? std::numeric_limits<double>::infinity() : 10.0,
      {.low = 0, .infinite = true, .unit = "of time t"},
      "end time of " + join(kinds.names_where(&DynamicsKind::ends_at_time), ", ", " and ") +
          " (a step of descent advances the time by its step size); default 10, or inf if -steps or a "
          "positive -epochs is given: that option then ends the run",
      Role{Role::free});
  kinds.read(o);
  batch = o.integer(
      "batch", 0, {0, most},
      "descent: number of samples per minibatch; every step uses one minibatch, every epoch a new random "
      "order of the samples; 0: all samples in every step");
  batch_remainder =
      o.choice(
          "batch_remainder", "drop", {"drop", "keep"},
          "samples left over after the last whole minibatch of an epoch, different samples in every epoch; "
          "drop: the epoch leaves them out; keep: they form a smaller minibatch") == "keep";
}

void TrainSettings::read_run(Options& o) {
  const std::string beyond = beyond_the_theorem();
  const Options::Category category(o, "run");
  audit =
      o.flag("audit", beyond.empty(),
             "check the bounds of Theorem 1 during the run; a violated bound stops the run (exit code 1). "
             "The default is true if the theorem applies to the run",
             fixes_audit);
  if (audit && !beyond.empty())
    throw usage(
        "-audit true: Theorem 1 is about exact gradient flow of -model softmax_linear on all samples, but "
        "this run has " +
        beyond + "; leave -audit out");
  audit_every = o.integer("audit_every", 0, {0, 2e9},
                          "record (and audit) every Nth step and the last step; the infimum over time in the "
                          "theorem needs 1; 0: every step, or with minibatches one step per epoch",
                          fixes_audit);
  record_every = o.integer(
      "record_every", 0, {0, 2e9},
      "the history keeps the rows of every Nth step and of the last step; 0: all rows, but every second row "
      "is removed whenever there are 8192. The audit does not depend on this option");
  start_from = start_from_option(o);
  run = run_option(o);
  resume = resume_option(o);
  checkpoint_every = o.integer(
      "checkpoint_every", -1, {-1, 2e9},
      "number of steps between checkpoints; the first checkpoint is at the start; 0: only at the end; -1: "
      "100, but a checkpoint is left out if checkpoints would take more than 5 % of the time");
  checkpoint_keep =
      o.integer("checkpoint_keep", 3, {0, 1e6}, "number of newest checkpoints to keep; 0: keep all");
  checkpoint_seconds =
      o.real("checkpoint_seconds", 0.0, {.low = 0, .high = 1e9, .unit = "seconds"},
             "also write a checkpoint if this wall-clock time has passed since the last one; 0: only "
             "-checkpoint_every decides");
  deadline = deadline_option(o);
  feature_ranks = static_cast<int>(
      o.integer("grid_feature_ranks", 1, {1, 1e6},
                "number of ranks that share one copy of the weights, a divisor of the number of all ranks; "
                "the groups of ranks divide the samples among themselves"));
  matrix_type = matrix_type_option(o);
}

std::string TrainSettings::beyond_the_theorem() const {
  if (!network.has_equilibrium_model()) return "-objective " + network.objective;
  if (network.has_dropout()) return "dropout";
  if (!network.is_softmax_linear()) return "-model " + network.model;
  if (network.is_unrolled()) return "-objective unrolled";
  if (!network.theorem_applies()) return "an inexact gradient or a penalty";
  if (!loss->has_proven_rate()) return "-loss " + loss->name();
  if (batch > 0) return "minibatches";
  return dynamics->beyond_the_flow();
}

std::string matrix_type_option(Options& options) {
  return options.text(
      "mat_type", "",
      "PETSc's dense matrix type for the products with the weights (dense, densecuda, densehip); needs "
      "-grid_feature_ranks 1, so that one rank holds all weights; if empty: BLAS");
}

Options train_declarations() {
  const OwnOptions scope({});
  Options options;
  (void)TrainSettings::from(options);
  return options;
}

void declare_train_solvers(Options& options) {
  const DynamicsKinds kinds;
  for (const auto& kind : kinds.all()) declare_solver(options, *kind);
  declare_equilibrium_solvers(options, "tolerance of the worst sample 1e-12");
  declare_solvers(options, {{"collapsed_"}, {"svd_"}, {"spec_"}, {"spec_state_"}});
}

}  // namespace run
}  // namespace poise
