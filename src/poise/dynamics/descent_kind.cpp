#include "poise/dynamics/descent.hpp"

namespace poise {
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
    return "descent follows the flow with small steps only: reduce -step_size";
  }
  [[nodiscard]] std::string violation_advice() const override {
    return "The theorem is about gradient flow, and descent follows it only with small steps: try "
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

}  // namespace poise
