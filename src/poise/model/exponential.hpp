#pragma once

#include "poise/base/process_grid.hpp"

namespace poise {

/// x_i = exp(x_i), several at a time, within 4 units in the last place. NaN stays NaN; x must not be +Inf.
void exponentials(Index n, double* x);

}  // namespace poise
