#include "poise/run/experiment.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace poise {

Experiment::Experiment(MPI_Comm comm, const TrainSettings& settings, const Checkpoint* checkpoint)
    : grid_(comm, settings.feature_ranks),
      data_(grid_, settings, checkpoint),
      network_(grid_, settings, data_.problem(), data_.features().width()),
      objective_(network_.objective()),
      theta_(network_.layout().create()) {
  if (settings.audit)
    audit_ = std::make_unique<LiveAudit>(*network_.collapsed(), *network_.shallow_loss(), settings.seed);
  layout().initialise(theta_.get(), settings.seed, 1.0, settings.network.init_scale_b);
  read_limits(settings);
  dynamics_ = make_dynamics(settings, end_time_, max_steps_);
  if (checkpoint != nullptr) restore(*checkpoint);
}

void Experiment::read_limits(const TrainSettings& settings) {
  end_time_ = settings.time;
  max_steps_ = settings.steps;
  if (settings.batch > 0)
    batches_ = std::make_unique<Minibatches>(grid_, problem().train.total, settings.batch, settings.seed,
                                             settings.batch_remainder);
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
  return {theta, state, interval_, dynamics_->vectors()};
}

}  // namespace poise
