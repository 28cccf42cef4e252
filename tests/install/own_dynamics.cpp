// poise-train, and poise-audit as "own_dynamics audit", with dynamics that Poise does not have: normalised
// gradient descent with momentum (Cutkosky & Mehta 2020),
//   v <- mu v + (1 - mu) g,   theta <- theta - eta v / |v|.
#include <string_view>

#include "poise/audit/audit.hpp"
#include "poise/base/check.hpp"
#include "poise/dynamics/dynamics_kind.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/run/train.hpp"

using namespace poise;

class Normalised final : public Dynamics {
 public:
  Normalised(const DynamicsSetup& setup, double step_size, double momentum)
      : setup_(setup),
        step_size_(step_size),
        momentum_(momentum),
        velocity_(duplicate(setup.theta_like)),
        gradient_(duplicate(setup.theta_like)) {}

  StopReason run(Vec theta, DynamicsState& state, const Observer& observer) override {
    if (state.step == 0) check(VecSet(velocity_.get(), 0.0));
    for (;;) {
      const Evaluation evaluation = setup_.objective.value_and_gradient(theta, gradient_.get());
      require_finite_loss(evaluation.train.loss);
      require_bounded_loss(state, evaluation);
      state.step_size = step_size_;
      if (!state.shown) {  // a resumed run has shown its first point before
        ++state.gradients;
        state.shown = true;
        note_loss(state, evaluation);
        if (!observer(state, theta, gradient_.get(), evaluation)) return StopReason::stopped_by_observer;
      }
      if (state.step >= setup_.max_steps) return StopReason::reached_steps;
      if (state.t + 0.5 * step_size_ > setup_.end_time) return StopReason::reached_time;
      step(theta);
      ++state.step;
      state.t = static_cast<double>(state.step) * step_size_;
      state.shown = false;
    }
  }

  // Checkpoints hold the velocity, too.
  std::vector<std::pair<std::string, Vec>> vectors() override { return {{"velocity", velocity_.get()}}; }

 private:
  void step(Vec theta) {
    double length = 0.0;
    check(VecAXPBY(velocity_.get(), 1.0 - momentum_, momentum_, gradient_.get()));
    check(VecNorm(velocity_.get(), NORM_2, &length));
    if (length > 0.0) check(VecAXPY(theta, -step_size_ / length, velocity_.get()));
  }

  DynamicsSetup setup_;
  double step_size_, momentum_;
  VecHandle velocity_, gradient_;
};

class NormalisedKind final : public DynamicsKind {
 public:
  std::string name() const override { return "normalised"; }
  std::string help() const override { return "steps of length -normalised_step along a mean of gradients"; }
  std::unique_ptr<Dynamics> make(const DynamicsSetup& setup) const override {
    return std::make_unique<Normalised>(setup, step_size_, momentum_);
  }
  void read(Options& options) override {
    step_size_ = options.real("normalised_step", 0.05, {0, 1e6, true}, "normalised: length of a step");
    momentum_ = options.real("normalised_momentum", 0.9, {0, 0.999}, "normalised: share that is kept");
  }
  // Steps are linear combinations of gradients, so the audit checks the conserved column sums.
  std::string beyond_gradients() const override { return {}; }

 private:
  double step_size_ = 0.05, momentum_ = 0.9;
};

int main(int argc, char** argv) {
  register_dynamics<NormalisedKind>();
  const bool audits = argc > 1 && std::string_view(argv[1]) == "audit";
  return audits ? audit_main(argc - 1, argv + 1) : train_main(argc, argv);
}
