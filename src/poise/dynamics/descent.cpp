#include "poise/dynamics/descent.hpp"

#include <cmath>
#include <utility>

#include "poise/base/check.hpp"

namespace poise {
inline namespace dynamics {
namespace {

constexpr int most_halvings = 20;  // halvings of one step: to a millionth of its size

}  // namespace

Descent::Descent(Objective& objective, Vec theta_like, const DescentSettings& settings, double end_time,
                 Index max_steps, const Minibatches* batches)
    : objective_(objective),
      settings_(settings),
      end_time_(end_time),
      max_steps_(max_steps),
      batches_(batches),
      rule_(settings, theta_like),
      gradient_(duplicate(theta_like)) {
  if (!settings.backtrack) return;
  kept_.theta = duplicate(theta_like);
  kept_.gradient = duplicate(theta_like);
  for ([[maybe_unused]] const auto& moment : rule_.vectors()) kept_.moments.push_back(duplicate(theta_like));
}

double Descent::step_size_at(const DynamicsState& state) const {
  return settings_.step_size * state.step_scale * settings_.schedule_at(state.step, max_steps_);
}

Evaluation Descent::evaluate(Vec theta, DynamicsState& state) {
  const Batch batch = batches_ == nullptr ? Batch{.step = state.step} : batches_->at(state.step);
  Evaluation evaluation = objective_.value_and_gradient(theta, gradient_.get(), batch);
  require_finite_loss(evaluation.train.loss);
  require_bounded_loss(state, evaluation);
  check(VecNorm(gradient_.get(), NORM_2, &gradient_norm_));
  if (!std::isfinite(gradient_norm_)) require_finite(gradient_.get(), "the gradient");
  return evaluation;
}

void Descent::step(Vec theta, DynamicsState& state) {
  const double step_size = step_size_at(state);
  const bool clips = settings_.clip > 0.0 && gradient_norm_ > settings_.clip;
  rule_.apply(theta, gradient_.get(), clips ? settings_.clip / gradient_norm_ : 1.0, step_size, state.step);
  if (clips) ++state.clipped;
  ++state.step;
  state.shown = false;
  // With equal steps t is one product, so that no rounding adds up.
  const bool equal_steps = settings_.is_constant() && state.reductions == 0;
  state.t = equal_steps ? static_cast<double>(state.step) * step_size : state.t + step_size;
}

void Descent::keep(Vec theta, const DynamicsState& state) {
  kept_.state = state;
  kept_.gradient_norm = gradient_norm_;
  check(VecCopy(theta, kept_.theta.get()));
  const auto moments = rule_.vectors();
  for (std::size_t i = 0; i < moments.size(); ++i) check(VecCopy(moments[i].second, kept_.moments[i].get()));
}

void Descent::go_back(Vec theta, DynamicsState& state, const Error& error) {
  state = kept_.state;
  gradient_norm_ = kept_.gradient_norm;
  std::swap(gradient_, kept_.gradient);
  check(VecCopy(kept_.theta.get(), theta));
  const auto moments = rule_.vectors();
  for (std::size_t i = 0; i < moments.size(); ++i) check(VecCopy(kept_.moments[i].get(), moments[i].second));
  ++state.gradients;
  ++state.reductions;
  state.step_scale *= 0.5;
  state.step_size = step_size_at(state);
  warn_of_repeated_step(theta, state.step + 1, state.step_size, error);
}

Evaluation Descent::advance(Vec theta, DynamicsState& state) {
  if (!settings_.backtrack) {
    step(theta, state);
    return evaluate(theta, state);
  }
  for (int halvings = 0;; ++halvings) {
    keep(theta, state);
    step(theta, state);
    std::swap(gradient_, kept_.gradient);  // the evaluation then writes into the Vec that keeps nothing
    try {
      return evaluate(theta, state);
    } catch (const Error& error) {
      if (!is_failed_evaluation(error) || halvings == most_halvings) throw;
      go_back(theta, state, error);
    }
  }
}

StopReason Descent::run(Vec theta, DynamicsState& state, const Observer& observer) {
  if (state.step == 0) rule_.reset();
  Evaluation evaluation = evaluate(theta, state);
  for (;;) {
    state.step_size = step_size_at(state);
    if (!state.shown) {
      ++state.gradients;
      state.shown = true;
      note_loss(state, evaluation);
      if (!observer(state, theta, gradient_.get(), evaluation)) return StopReason::stopped_by_observer;
    }
    if (state.step >= max_steps_) return StopReason::reached_steps;
    // Half a step of tolerance: t is a sum of rounded steps.
    if (state.t + 0.5 * state.step_size > end_time_) return StopReason::reached_time;
    evaluation = advance(theta, state);
  }
}

namespace {

using Method = DescentSettings::Method;
using Schedule = DescentSettings::Schedule;

class DescentKind final : public DynamicsKind {
 public:
  explicit DescentKind(const DescentSettings& settings) : settings_(settings) {}
  [[nodiscard]] std::string name() const override { return "descent"; }
  [[nodiscard]] std::string help() const override { return "gradient descent with -step_size"; }
  [[nodiscard]] std::unique_ptr<Dynamics> make(const DynamicsSetup& setup) const override {
    return std::make_unique<Descent>(setup.objective, setup.theta_like, settings_, setup.end_time,
                                     setup.max_steps, setup.batches);
  }

  void read(Options& options) override { settings_ = DescentSettings::from(options); }
  [[nodiscard]] std::vector<OptionRule> rules() const override {
    return {{"momentum", {{"method", {"momentum", "nesterov"}}}},
            {"adam_beta1", {{"method", {"adam"}}}},
            {"adam_beta2", {{"method", {"adam"}}}},
            {"adam_epsilon", {{"method", {"adam"}}}},
            {"schedule_every", {{"schedule", {"step"}}}},
            {"schedule_factor", {{"schedule", {"cosine", "step", "linear"}}}}};
  }

  [[nodiscard]] std::string description(double end_time, Index max_steps,
                                        const std::string& batches) const override {
    return method_text() + ", step size " + to_text(settings_.step_size) + batches + ", to " +
           end_text(end_time, max_steps);
  }
  [[nodiscard]] bool depends_on_end() const override {
    return settings_.schedule == Schedule::cosine || settings_.schedule == Schedule::linear;
  }
  [[nodiscard]] bool takes_minibatches() const override { return true; }
  [[nodiscard]] bool takes_dropout() const override { return true; }
  [[nodiscard]] bool one_gradient_a_step() const override { return true; }

  [[nodiscard]] std::string beyond_the_flow() const override {
    const bool plain =
        settings_.method == Method::gradient && settings_.weight_decay == 0.0 && settings_.clip == 0.0;
    return plain ? "" : "a -method other than gradient, -weight_decay or -clip";
  }
  [[nodiscard]] std::string beyond_gradients() const override {
    if (settings_.method == Method::adam) return "-method adam scales every entry";
    return settings_.weight_decay > 0.0 ? "-weight_decay shrinks A" : "";
  }
  [[nodiscard]] std::optional<double> step_size(const DynamicsState& state, Index max_steps) const override {
    return settings_.step_size * state.step_scale * settings_.schedule_at(state.step, max_steps);
  }
  [[nodiscard]] std::string violation_cure() const override {
    return "descent follows the flow only with small steps: reduce -step_size";
  }
  [[nodiscard]] std::string violation_advice() const override {
    return "The theorem is about gradient flow, which descent follows only with small steps: try "
           "-step_size " +
           to_text(settings_.step_size / 4.0) + ", or -dynamics flow.";
  }

 private:
  [[nodiscard]] std::string method_text() const {
    switch (settings_.method) {
      case Method::gradient:
        return "descent";
      case Method::momentum:
        return "descent with momentum";
      case Method::nesterov:
        return "descent with Nesterov's momentum";
      case Method::adam:
        return "Adam";
    }
    return "descent";
  }

  DescentSettings settings_;
};

}  // namespace

std::shared_ptr<DynamicsKind> descent_kind(const DescentSettings& settings) {
  return std::make_shared<DescentKind>(settings);
}

}  // namespace dynamics
}  // namespace poise
