#include "poise/dynamics/minimise.hpp"

namespace poise {
namespace {

class MinimiseKind final : public DynamicsKind {
 public:
  [[nodiscard]] std::string name() const override { return "minimise"; }
  [[nodiscard]] std::string help() const override { return "TAO's minimisers (min_)"; }
  [[nodiscard]] std::unique_ptr<Dynamics> make(const DynamicsSetup& setup) const override {
    return std::make_unique<Minimise>(setup.objective, setup.theta_like, setup.max_steps);
  }
  [[nodiscard]] DynamicsSolver solver() const override {
    return {"min_", "TAO", "lmvm, gradient's norm to 1e-8"};
  }
  [[nodiscard]] std::string description(double end_time, Index max_steps, const std::string&) const override {
    return "minimise, to a minimum or " + end_text(end_time, max_steps);
  }
  [[nodiscard]] bool ends_at_time() const override { return false; }
  /// A line search compares losses with what the gradient promises.
  [[nodiscard]] bool takes_inexact_gradients() const override { return false; }
  [[nodiscard]] std::string why_not_repeatable() const override {
    return "-dynamics minimise: TAO's minimisers keep more than a checkpoint holds";
  }
  [[nodiscard]] std::string beyond_gradients() const override {
    return "-dynamics minimise does not step along gradients";
  }
};

}  // namespace

std::shared_ptr<DynamicsKind> minimise_kind() {
  return std::make_shared<MinimiseKind>();
}

}  // namespace poise
