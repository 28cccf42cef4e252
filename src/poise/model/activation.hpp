#pragma once

#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace model {

/// The activations a of THEORY.md 2.2. All are 1-Lipschitz and do not decrease. Their first two derivatives
/// are functions of the value y = a(x), so that a linearisation needs no second product with the weights. At
/// their kink, relu and leaky_relu take the derivative from the left.
enum class Activation { identity, tanh, relu, leaky_relu, softplus, sigmoid };

/// Slope of leaky_relu where x < 0.
inline constexpr double leaky_slope = 0.01;

[[nodiscard]] const std::vector<std::string>& activation_names();
[[nodiscard]] Activation parse_activation(const std::string& name);
[[nodiscard]] std::string to_string(Activation activation);
/// The largest slope of a: 1, or 1/4 for sigmoid.
[[nodiscard]] double largest_slope(Activation activation);

// All of the following functions work entry by entry on n numbers with vector instructions, and give NaN for
// NaN. An output may be one of the inputs. Not collective.

/// y = a(x).
void activate(Activation activation, Index n, const double* x, double* y);
/// y = a(x + u).
void activate_sum(Activation activation, Index n, const double* x, const double* u, double* y);
/// slope = a'(x) from y = a(x).
void activation_slope(Activation activation, Index n, const double* y, double* slope);
/// curvature = a''(x) from y = a(x); 0 for identity, relu and leaky_relu.
void activation_curvature(Activation activation, Index n, const double* y, double* curvature);

}  // namespace model
}  // namespace poise
