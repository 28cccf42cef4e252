// Compiled with -ffast-math, as softmax.cpp and for the same reason. Nothing here needs an infinity: every
// exponential is of a number that is not positive. A NaN goes through because each formula does arithmetic
// with an exponential of it.
#include "poise/model/smooth_activation.hpp"

#include <algorithm>
#include <cmath>

namespace poise {
namespace {

/// Numbers in the widest vector register. Loops run over full registers and the rest is padded: one entry is
/// then computed by the same instructions wherever it stands, and never by the scalar library.
constexpr Index lanes = 8;

/// y_i = f(x_i) or f(x_i + u_i). ivdep: an output may be an input, entry by entry, which the compiler's test
/// for overlap would send to a scalar loop. noinline: where it sees a single register it unrolls to scalar
/// calls.
template <class F>
[[gnu::noinline]] void map_registers(std::size_t registers, const double* x, double* y, F f) {
  const std::size_t size = lanes * registers;
#pragma GCC ivdep
  for (std::size_t i = 0; i < size; ++i) y[i] = f(x[i]);
}
template <class F>
[[gnu::noinline]] void map_registers(std::size_t registers, const double* x, const double* u, double* y,
                                     F f) {
  const std::size_t size = lanes * registers;
#pragma GCC ivdep
  for (std::size_t i = 0; i < size; ++i) y[i] = f(x[i] + u[i]);
}

template <class F>
void map(Index n, const double* x, double* y, F f) {
  const Index registers = n / lanes;
  const Index done = lanes * registers;
  map_registers(registers, x, y, f);
  if (done == n) return;
  double rest[lanes] = {};
  std::copy(x + done, x + n, rest);
  map_registers(1, rest, rest, f);
  std::copy_n(rest, n - done, y + done);
}
template <class F>
void map(Index n, const double* x, const double* u, double* y, F f) {
  const Index registers = n / lanes;
  const Index done = lanes * registers;
  map_registers(registers, x, u, y, f);
  if (done == n) return;
  double rest[lanes] = {};
  for (Index i = done; i < n; ++i) rest[i - done] = x[i] + u[i];
  map_registers(1, rest, rest, f);
  std::copy_n(rest, n - done, y + done);
}

struct Tanh {
  double operator()(double x) const { return std::tanh(x); }
};
struct Softplus {
  double operator()(double x) const { return std::log1p(std::exp(-std::abs(x))) + (x > 0.0 ? x : 0.0); }
};
struct Sigmoid {
  double operator()(double x) const {
    const double e = std::exp(-std::abs(x));
    return (x > 0.0 ? 1.0 : e) / (1.0 + e);
  }
};

/// Calls `use` with the function of an activation.
template <class Use>
void with_function(Activation activation, Use use) {
  if (activation == Activation::tanh) return use(Tanh());
  if (activation == Activation::softplus) return use(Softplus());
  use(Sigmoid());
}

}  // namespace

void smooth_values(Activation activation, Index n, const double* x, double* y) {
  with_function(activation, [&](auto f) { map(n, x, y, f); });
}

void smooth_values(Activation activation, Index n, const double* x, const double* u, double* y) {
  with_function(activation, [&](auto f) { map(n, x, u, y, f); });
}

void softplus_slope(Index n, const double* y, double* slope) {
  map(n, y, slope, [](double v) { return -std::expm1(-v); });
}

void softplus_curvature(Index n, const double* y, double* curvature) {
  map(n, y, curvature, [](double v) { return -std::expm1(-v) * std::exp(-v); });
}

}  // namespace poise
