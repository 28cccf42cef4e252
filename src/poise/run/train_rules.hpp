#pragma once

#include <vector>

#include "poise/base/option_rules.hpp"
#include "poise/dynamics/dynamics_kind.hpp"

namespace poise {
inline namespace run {

/// Where the options of poise-train have an effect; `kinds` have read theirs.
[[nodiscard]] std::vector<OptionRule> train_rules(const DynamicsKinds& kinds);
/// Where those of its solvers have one. Not of programs that look at a stored run: these also solve what the
/// run does not.
[[nodiscard]] std::vector<OptionRule> train_solver_rules();

}  // namespace run
}  // namespace poise
