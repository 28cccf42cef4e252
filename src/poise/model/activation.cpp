// Not compiled with -ffast-math: relu must tell a NaN from a negative number. The activations that need
// vectorised exponentials are in exponentials.cpp.
#include "poise/model/activation.hpp"

#include "poise/base/error.hpp"
#include "poise/model/exponentials.hpp"

namespace poise {
inline namespace model {
namespace {

// ivdep: an output may be one of the inputs. Without ivdep the compiler's test for overlap would then choose
// a scalar loop.
template <class F>
void map(Index n, const double* x, double* y, F f) {
#pragma GCC ivdep
  for (Index i = 0; i < n; ++i) y[i] = f(x[i]);
}
template <class F>
void map_sum(Index n, const double* x, const double* u, double* y, F f) {
#pragma GCC ivdep
  for (Index i = 0; i < n; ++i) y[i] = f(x[i] + u[i]);
}

// The comparisons are false for a NaN, so that the last branch returns the NaN.
double same(double x) {
  return x;
}
double relu(double x) {
  return x < 0.0 ? 0.0 : x;
}
double leaky_relu(double x) {
  return x < 0.0 ? leaky_slope * x : x;
}
double relu_slope(double y) {
  return y > 0.0 ? 1.0 : (y <= 0.0 ? 0.0 : y);
}
double leaky_relu_slope(double y) {
  return y > 0.0 ? 1.0 : (y <= 0.0 ? leaky_slope : y);
}
/// 0, but NaN for NaN, and also for an infinity, as it should be.
double zero_of(double y) {
  return 0.0 * y;
}

}  // namespace

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names{"identity",   "tanh",     "relu",
                                              "leaky_relu", "softplus", "sigmoid"};
  return names;
}

Activation parse_activation(const std::string& name) {
  const auto& names = activation_names();
  for (std::size_t k = 0; k < names.size(); ++k)
    if (names[k] == name) return static_cast<Activation>(k);
  throw bad_input("unknown activation '" + name + "'");
}

std::string to_string(Activation activation) {
  return activation_names()[static_cast<std::size_t>(activation)];
}

double largest_slope(Activation activation) {
  return activation == Activation::sigmoid ? 0.25 : 1.0;
}

void activate(Activation activation, Index n, const double* x, double* y) {
  switch (activation) {
    case Activation::identity:
      return map(n, x, y, same);
    case Activation::relu:
      return map(n, x, y, relu);
    case Activation::leaky_relu:
      return map(n, x, y, leaky_relu);
    default:
      return smooth_values(activation, n, x, y);
  }
}

void activate_sum(Activation activation, Index n, const double* x, const double* u, double* y) {
  switch (activation) {
    case Activation::identity:
      return map_sum(n, x, u, y, same);
    case Activation::relu:
      return map_sum(n, x, u, y, relu);
    case Activation::leaky_relu:
      return map_sum(n, x, u, y, leaky_relu);
    default:
      return smooth_values(activation, n, x, u, y);
  }
}

void activation_slope(Activation activation, Index n, const double* y, double* slope) {
  switch (activation) {
    case Activation::identity:
      return map(n, y, slope, [](double v) { return 1.0 + zero_of(v); });
    case Activation::tanh:
      return map(n, y, slope, [](double v) { return (1.0 - v) * (1.0 + v); });
    case Activation::relu:
      return map(n, y, slope, relu_slope);
    case Activation::leaky_relu:
      return map(n, y, slope, leaky_relu_slope);
    case Activation::softplus:
      return softplus_slope(n, y, slope);
    case Activation::sigmoid:
      return map(n, y, slope, [](double v) { return v * (1.0 - v); });
  }
}

void activation_curvature(Activation activation, Index n, const double* y, double* curvature) {
  switch (activation) {
    case Activation::tanh:
      return map(n, y, curvature, [](double v) { return -2.0 * v * (1.0 - v) * (1.0 + v); });
    case Activation::softplus:
      return softplus_curvature(n, y, curvature);
    case Activation::sigmoid:
      return map(n, y, curvature, [](double v) { return v * (1.0 - v) * (1.0 - 2.0 * v); });
    default:
      return map(n, y, curvature, zero_of);
  }
}

}  // namespace model
}  // namespace poise
