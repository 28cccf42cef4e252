#pragma once

#include "poise/model/activation.hpp"

namespace poise {

// The part of activation.hpp that needs vectorised exponentials: tanh, softplus and sigmoid. Not collective;
// an output may be one of the inputs. The value of an entry does not depend on its place among the n.

/// y = a(x).
void smooth_values(Activation activation, Index n, const double* x, double* y);
/// y = a(x + u).
void smooth_values(Activation activation, Index n, const double* x, const double* u, double* y);
/// slope = 1 − exp(−y), softplus' from its value, without cancellation for small y.
void softplus_slope(Index n, const double* y, double* slope);
/// curvature = (1 − exp(−y)) exp(−y), softplus'' from its value.
void softplus_curvature(Index n, const double* y, double* curvature);

}  // namespace poise
