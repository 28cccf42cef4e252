#include "poise/dynamics/dynamics_kind.hpp"

#include <cmath>

namespace poise {

std::string end_text(double end_time, Index max_steps) {
  const std::string steps = "step " + std::to_string(max_steps);
  return std::isfinite(end_time) ? "t = " + to_text(end_time) + " or " + steps : steps;
}

std::string DynamicsKind::description(double end_time, Index max_steps, const std::string& batches) const {
  return name() + batches + ", to " + end_text(end_time, max_steps);
}

std::string DynamicsKind::beyond_gradients() const {
  return "-dynamics " + name() + " need not step along gradients";
}

std::string DynamicsKind::violation_cure() const {
  return "-dynamics " + name() + " follows the flow with small steps only: reduce them";
}

}  // namespace poise
