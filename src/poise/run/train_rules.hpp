#pragma once

#include <vector>

#include "poise/base/option_rules.hpp"
#include "poise/dynamics/dynamics_kind.hpp"

namespace poise {

/// Where the options of the features have an effect, for every program that has them.
[[nodiscard]] std::vector<OptionRule> feature_rules();
/// Where those of poise-train have one; `kinds` have read theirs.
[[nodiscard]] std::vector<OptionRule> train_rules(const DynamicsKinds& kinds);
/// Where those of its solvers have one. Not of programs that look at a stored run: these also solve what the
/// run does not.
[[nodiscard]] std::vector<OptionRule> train_solver_rules();

}  // namespace poise
