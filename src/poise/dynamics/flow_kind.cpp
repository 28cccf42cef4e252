#include <cmath>

#include "poise/dynamics/flow.hpp"

namespace poise {
namespace {

class FlowKind final : public DynamicsKind {
 public:
  [[nodiscard]] std::string name() const override { return "flow"; }
  [[nodiscard]] std::string help() const override { return "gradient flow with adaptive time steps"; }
  [[nodiscard]] std::unique_ptr<Dynamics> make(const DynamicsSetup& setup) const override {
    auto flow = std::make_unique<Flow>(setup.objective, setup.theta_like, setup.end_time, setup.max_steps);
    flow->scale_tolerances(setup.layout);
    return flow;
  }
  [[nodiscard]] DynamicsSolver solver() const override {
    return {"flow_", "TS", "rk 5f, adaptive, tolerances 1e-8"};
  }
  [[nodiscard]] std::string description(double end_time, Index max_steps, const std::string&) const override {
    constexpr Index no_limit = 1000000;  // the default of -steps: not worth a word
    const bool by_time = std::isfinite(end_time) && max_steps == no_limit;
    return "flow to " + (by_time ? "t = " + to_text(end_time) : end_text(end_time, max_steps));
  }
  [[nodiscard]] bool integrates_flow() const override { return true; }
  [[nodiscard]] std::string beyond_the_flow() const override { return {}; }
  [[nodiscard]] std::string beyond_gradients() const override { return {}; }
  [[nodiscard]] std::string violation_cure() const override {
    return "is the integrator's error estimate right? Reduce -flow_ts_rtol and -flow_ts_atol";
  }
};

}  // namespace

std::shared_ptr<DynamicsKind> flow_kind() {
  return std::make_shared<FlowKind>();
}

}  // namespace poise
