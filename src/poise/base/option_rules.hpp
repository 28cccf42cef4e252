#pragma once

#include <string>
#include <vector>

#include "poise/base/options.hpp"

namespace poise {
inline namespace base {

/// Where an option has an effect: where one of the conditions is met. Several rules on one option must all be
/// met. A name that ends with * stands for the options of a solver of PETSc with that prefix.
struct OptionRule {
  std::string option;
  std::vector<OptionCondition> any;
};

/// Beside the conditions that options were declared with (Options::OnlyWith), `rules` must be met. Throws
/// bad_input that names every given option without effect, what it does not go with, and what to do.
/// An option that repeats its default says nothing and passes: so do all that a file of resolved options
/// holds. `recalled`: options that come from a stored run, not from the user; they pass. To be called when
/// all options are declared and before any solver is made. Not collective, the same on all ranks.
void require_effect(const Options& options, const std::vector<OptionRule>& rules,
                    const std::vector<std::string>& recalled = {});

}  // namespace base
}  // namespace poise
