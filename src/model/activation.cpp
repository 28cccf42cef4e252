// Compiled with -ffast-math, as softmax.cpp and for the same reason.
#include "poise/model/activation.hpp"

#include <cmath>

#include "poise/base/error.hpp"

namespace poise {
namespace {
template <class F>
void map(Index n, const double* x, double* y, F f) {
  for (Index i = 0; i < n; ++i) y[i] = f(x[i]);
}
}  // namespace

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names{"identity", "tanh", "relu", "leaky_relu", "softplus", "sigmoid"};
  return names;
}
Activation parse_activation(const std::string& name) {
  const auto& names = activation_names();
  for (std::size_t k = 0; k < names.size(); ++k)
    if (names[k] == name) return static_cast<Activation>(k);
  throw bad_input("unknown activation '" + name + "'");
}
std::string to_string(Activation activation) { return activation_names()[static_cast<std::size_t>(activation)]; }
double largest_slope(Activation activation) { return activation == Activation::sigmoid ? 0.25 : 1.0; }
void activate(Activation activation, Index n, const double* x, double* y) {
  if (activation == Activation::tanh) return map(n, x, y, [](double v) { return std::tanh(v); });
  if (activation == Activation::relu) return map(n, x, y, [](double v) { return v > 0.0 ? v : 0.0; });
  map(n, x, y, [](double v) { return v; });
}
void activate_sum(Activation activation, Index n, const double* x, const double* u, double* y) {
  for (Index i = 0; i < n; ++i) y[i] = x[i] + u[i];
  activate(activation, n, y, y);
}
void activation_slope(Activation activation, Index n, const double* y, double* slope) {
  if (activation == Activation::tanh) return map(n, y, slope, [](double v) { return 1.0 - v * v; });
  if (activation == Activation::relu) return map(n, y, slope, [](double v) { return v > 0.0 ? 1.0 : 0.0; });
  map(n, y, slope, [](double) { return 1.0; });
}
void activation_curvature(Activation, Index n, const double* y, double* curvature) {
  map(n, y, curvature, [](double) { return 0.0; });
}
}  // namespace poise
