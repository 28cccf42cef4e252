#pragma once

#include <vector>

#include "poise/base/option_rules.hpp"
#include "poise/dynamics/dynamics_kind.hpp"

namespace poise {
inline namespace run {

/// The conditions under which options of poise-train have an effect. `kinds` must have read their options.
[[nodiscard]] std::vector<OptionRule> train_rules(const DynamicsKinds& kinds);
/// The conditions under which options of its solvers have an effect. Programs that examine a stored run do
/// not use these rules, because they also use solvers that the run does not use.
[[nodiscard]] std::vector<OptionRule> train_solver_rules();

}  // namespace run
}  // namespace poise
