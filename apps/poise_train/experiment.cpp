#include "poise_train/experiment.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"
#include "poise/dynamics/descent.hpp"
#include "poise/dynamics/flow.hpp"

namespace poise {
namespace {

/// Outputs q that a loss needs on these data; throws bad_input where they do not go together.
Index outputs_for(LossKind loss, const DatasetInfo& info) {
  const auto refuse = [&](const std::string& why) {
    return Error(ExitCode::bad_input, "-loss " + to_string(loss) + " on " + info.path + ": " + why, true);
  };
  if (loss == LossKind::cross_entropy) {
    if (!info.classification) throw refuse("the data have /targets, not /labels; use -loss squared");
    if (info.outputs < 2) throw refuse("the data have a single class");
  }
  if (loss == LossKind::logistic) {
    if (info.classification && info.outputs != 2)
      throw refuse("the data have " + std::to_string(info.outputs) +
                   " classes, not 2; use -loss cross_entropy");
    if (!info.classification && info.outputs != 1)
      throw refuse("the data have " + std::to_string(info.outputs) +
                   " target columns; one of 0 and 1 is needed");
    return 1;
  }
  return info.outputs;
}

void require_binary(const ProcessGrid& grid, const SampleSet& samples) {
  agree(grid.world(), [&] {
    for (const double y : samples.targets)
      if (y != 0.0 && y != 1.0)
        throw bad_input("-loss logistic: the targets must be 0 or 1, but one is " + to_text(y));
  });
}

}  // namespace

Experiment::Experiment(MPI_Comm comm, const TrainSettings& settings, const Checkpoint* checkpoint)
    : grid_(comm, settings.feature_ranks) {
  problem_.loss = settings.loss;
  problem_.mean = settings.mean;
  read_data(settings, checkpoint);
  build_solvers(settings);
  theta_ = layout_->create();
  layout_->initialise(theta_.get(), settings.seed, settings.init_scale_a, settings.init_scale_b);
  dynamics_ = settings.dynamics == "flow"
                  ? std::unique_ptr<Dynamics>(
                        std::make_unique<Flow>(*objective_, theta_.get(), settings.time, settings.steps))
                  : std::make_unique<Descent>(*objective_, theta_.get(), settings.step_size, settings.time,
                                              settings.steps);
  if (checkpoint != nullptr) restore(*checkpoint);
}

void Experiment::read_data(const TrainSettings& settings, const Checkpoint* checkpoint) {
  if (settings.data.empty())
    throw Error(ExitCode::bad_input,
                "-data FILE is missing; data/digits.h5 comes with Poise, poise-data makes others", true);
  const Dataset dataset(grid_.world(), settings.data);
  info_ = dataset.info();
  problem_.outputs = outputs_for(settings.loss, info_);
  if (settings.train_samples > info_.samples)
    throw Error(ExitCode::bad_input,
                "-train_samples " + std::to_string(settings.train_samples) + ": " + settings.data +
                    " holds only " + std::to_string(info_.samples),
                true);
  const Index total = settings.train_samples > 0 ? settings.train_samples : info_.samples;
  SampleBlock train = dataset.read_train(grid_.samples(total));
  build_features(settings, train, checkpoint);
  layout_ = std::make_unique<ParameterLayout>(grid_, features_->width(), problem_.outputs);
  problem_.train = make_samples(std::move(train), total);
  if (info_.test_samples > 0)
    problem_.test = make_samples(dataset.read_test(grid_.samples(info_.test_samples)), info_.test_samples);
  if (problem_.loss == LossKind::logistic) {
    require_binary(grid_, problem_.train);
    require_binary(grid_, problem_.test);
  }
}

SampleSet Experiment::make_samples(SampleBlock block, Index total) const {
  SampleSet set{total, block.count, {}, {}};
  set.features.resize(static_cast<std::size_t>(features_->rows().size() * block.count));
  features_->apply(block.count, block.features.data(), set.features.data());
  if (problem_.loss == LossKind::logistic && info_.classification) {
    set.targets.assign(block.labels.begin(), block.labels.end());
  } else {
    set.targets = std::move(block.targets);
  }
  return set;
}

void Experiment::build_features(const TrainSettings& settings, const SampleBlock& train,
                                const Checkpoint* checkpoint) {
  if (checkpoint == nullptr) {
    features_ = std::make_unique<FeatureMap>(grid_, settings.features, info_.inputs, train.count,
                                             train.features.data());
    return;
  }
  const Index width = checkpoint->integer("/features", "width");
  const Index inputs = checkpoint->integer("/features", "inputs");
  if (inputs != info_.inputs || width < 1)
    throw Error(ExitCode::bad_input,
                checkpoint->path() + ": made for " + std::to_string(inputs) + " inputs, but " +
                    settings.data + " has " + std::to_string(info_.inputs),
                true);
  const Range rows = block_range(width, grid_.feature_ranks(), grid_.feature_index());
  std::vector<double> transform, offset;
  if (checkpoint->has("/features/transform")) {
    transform.resize(static_cast<std::size_t>(rows.size() * inputs));
    checkpoint->read_rows("/features/transform", width, inputs, rows, transform.data(), inputs);
  }
  if (checkpoint->has("/features/offset")) {
    offset.resize(static_cast<std::size_t>(rows.size()));
    checkpoint->read_rows("/features/offset", width, 1, rows, offset.data(), 1);
  }
  features_ = std::make_unique<FeatureMap>(
      grid_, settings.features.kind, checkpoint->integer("/features", "constant") != 0, width,
      checkpoint->read_array("/features/mean", {inputs}), std::move(transform), std::move(offset));
}

void Experiment::build_solvers(const TrainSettings& settings) {
  if (settings.objective == "collapsed" || settings.audit) {
    model_ = std::make_unique<CollapsedModel>(*layout_, settings.gamma);
    shallow_ = std::make_unique<ShallowLoss>(*layout_, problem_);
  }
  if (settings.objective == "collapsed") {
    objective_ = std::make_unique<CollapsedObjective>(*model_, *shallow_);
  } else {
    const Index rows = layout_->width() / grid_.feature_ranks();
    const Index panel = settings.panel > 0 ? settings.panel : EquilibriumObjective::default_panel(rows);
    map_ = std::make_unique<SoftmaxLinear>(*layout_, settings.gamma);
    objective_ = std::make_unique<EquilibriumObjective>(*layout_, *map_, problem_, panel);
  }
  if (settings.audit) audit_ = std::make_unique<LiveAudit>(*model_, *shallow_, settings.seed);
}

Score Experiment::train_score(const Evaluation& evaluation) {
  Score score = evaluation.train;
  if (!has_accuracy()) {
    score.accuracy = std::numeric_limits<double>::quiet_NaN();
  } else if (std::isnan(score.accuracy)) {
    (void)model_->set_parameters(theta_.get());
    score.accuracy = shallow_->score(model_->w(), problem_.train).accuracy;
  }
  return score;
}

void Experiment::save(Snapshot& snapshot) {
  const Range slice = layout_->slice();
  const Index m = layout_->width();
  const Index q = layout_->outputs();
  const Index stride = layout_->row_length();
  const ReadArray theta(theta_.get());  // stays valid: nothing writes θ before the snapshot is written
  snapshot.add_rows("/parameters/A", m, m, slice, theta.data(), stride);
  snapshot.add_columns("/parameters/B", q, m, slice, theta.data() + m, stride);

  snapshot.add_integer("/state", "step", state_.step);
  snapshot.add_real("/state", "t", state_.t);
  snapshot.add_integer("/state", "gradients", state_.gradients);
  snapshot.add_real("/dynamics", "next_step_size", state_.next_step_size);
  snapshot.add_real("/dynamics", "local_error_sum", state_.local_error_sum);
  snapshot.add_integer("/dynamics", "shown", state_.shown ? 1 : 0);

  const FeatureMap& f = *features_;
  const Index skip = slice.begin - f.rows().begin;
  snapshot.add_text("/features", "kind", to_string(f.kind()));
  snapshot.add_integer("/features", "width", m);
  snapshot.add_integer("/features", "inputs", f.inputs());
  snapshot.add_integer("/features", "constant", f.constant() ? 1 : 0);
  snapshot.add_array("/features/mean", {f.inputs()}, f.mean());
  if (f.kind() != FeatureKind::identity)
    snapshot.add_rows("/features/transform", m, f.inputs(), slice, f.transform().data() + skip * f.inputs(),
                      f.inputs());
  if (f.kind() >= FeatureKind::random_relu)
    snapshot.add_rows("/features/offset", m, 1, slice, f.offset().data() + skip, 1);
  if (audit_) audit_->save(snapshot);
}

void Experiment::restore(const Checkpoint& checkpoint) {
  const Range slice = layout_->slice();
  const Index m = layout_->width();
  const Index q = layout_->outputs();
  {
    WriteArray theta(theta_.get());
    checkpoint.read_rows("/parameters/A", m, m, slice, theta.data(), layout_->row_length());
    checkpoint.read_columns("/parameters/B", q, m, slice, theta.data() + m, layout_->row_length());
  }
  state_.step = checkpoint.integer("/state", "step");
  state_.t = checkpoint.real("/state", "t");
  state_.gradients = checkpoint.integer("/state", "gradients");
  state_.next_step_size = checkpoint.real("/dynamics", "next_step_size");
  state_.local_error_sum = checkpoint.real("/dynamics", "local_error_sum");
  state_.shown = checkpoint.integer("/dynamics", "shown") != 0;
  if (!audit_) return;
  std::vector<double> eigenvectors;
  if (checkpoint.has("/audit/eigenvectors")) {
    const Index columns = checkpoint.dims("/audit/eigenvectors").at(0);
    if (columns > 2 * q)
      throw Error(ExitCode::bad_input, checkpoint.path() + ": too many eigenvectors", true);
    std::vector<double> rows(static_cast<std::size_t>(slice.size() * columns));
    checkpoint.read_columns("/audit/eigenvectors", columns, m, slice, rows.data(), columns);
    eigenvectors.resize(rows.size());
    transpose(columns, slice.size(), rows.data(), eigenvectors.data());
  }
  audit_->restore(checkpoint.read_array("/audit/rates", {-1}), std::move(eigenvectors));
}

}  // namespace poise
