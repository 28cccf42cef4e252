#include "poise/objective/shallow_objective.hpp"

#include <algorithm>

#include "poise/base/error.hpp"

namespace poise {

ShallowObjective::ShallowObjective(const ParameterLayout& layout, const Problem& problem, Index panel)
    : SampleObjective(layout, problem, layout.block().size(), layout.block().size(), panel) {
  if (!layout.blocks().empty()) throw failure("the shallow network has no parameters but its readout");
}

void ShallowObjective::forward(Panel& panel, bool, Evaluation&) {
  std::copy(panel.features.begin(), panel.features.end(), panel.state.begin());
}

}  // namespace poise
