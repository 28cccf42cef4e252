#pragma once

#include <string>
#include <vector>

#include "poise/base/options.hpp"

namespace poise {
inline namespace base {

/// `option` has an effect only if at least one of the conditions `any` is met. If several rules are about one
/// option, all must be met. A name that ends with * means the options of the PETSc solver with that prefix.
struct OptionRule {
  std::string option;
  std::vector<OptionCondition> any;
};

/// Checks `rules` and the conditions that options were declared with (Options::OnlyWith). Throws bad_input
/// that names every given option without effect, the choices that it does not go with, and what to do. An
/// option with its default value passes, so that a file of all resolved options passes. `recalled`: options
/// that come from a stored run, not from the user; they pass. Call this when all options are declared and
/// before any solver is made. Not collective, the same on all ranks.
void require_effect(const Options& options, const std::vector<OptionRule>& rules,
                    const std::vector<std::string>& recalled = {});

}  // namespace base
}  // namespace poise
