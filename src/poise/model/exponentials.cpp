// Compiled with -ffast-math (see CMakeLists.txt): only then does GCC call the vectorised exponential, which
// takes 4 to 8 numbers at a time and is right to 4 units in the last place. This is safe here. No formula
// needs an infinity, because every exponential is of a number that is not positive. A NaN gives a NaN,
// because every formula does arithmetic with its exponential and no formula tests for NaN.
#include "poise/model/exponentials.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "poise/base/check.hpp"

namespace poise {
inline namespace model {

void exponentials(Index n, double* x) {
  for (Index i = 0; i < n; ++i) x[i] = std::exp(x[i]);
}

void column_softmax(MPI_Comm comm, Index rows, Index m, const double* a, Index stride_a, double* s) {
  // The lowest double instead of -inf: with -ffast-math the compiler may assume that there is no infinity.
  std::vector<double> shift(static_cast<std::size_t>(m), std::numeric_limits<double>::lowest());
  for (Index i = 0; i < rows; ++i) {
    const double* row = a + i * stride_a;
    for (Index j = 0; j < m; ++j) shift[j] = row[j] > shift[j] ? row[j] : shift[j];
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, shift.data(), static_cast<int>(m), MPI_DOUBLE, MPI_MAX, comm));

  std::vector<double> sums(static_cast<std::size_t>(m), 0.0);
  for (Index i = 0; i < rows; ++i) {
    const double* row = a + i * stride_a;
    double* out = s + i * m;
    for (Index j = 0; j < m; ++j) out[j] = std::exp(row[j] - shift[j]);
    for (Index j = 0; j < m; ++j) sums[j] += out[j];
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums.data(), static_cast<int>(m), MPI_DOUBLE, MPI_SUM, comm));

  for (double& sum : sums) sum = 1.0 / sum;
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < m; ++j) s[i * m + j] *= sums[j];
}

void column_softmax_pullback(MPI_Comm comm, Index rows, Index m, const double* s, const double* k,
                             Index stride_k, double* out, Index stride_out) {
  std::vector<double> sums(static_cast<std::size_t>(m), 0.0);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < m; ++j) sums[j] += s[i * m + j] * k[i * stride_k + j];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums.data(), static_cast<int>(m), MPI_DOUBLE, MPI_SUM, comm));
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < m; ++j) out[i * stride_out + j] = s[i * m + j] * (k[i * stride_k + j] - sums[j]);
}

namespace {

/// Numbers in the widest vector register. Loops run over full registers, and the rest is padded to a
/// register. So every entry is computed by the same instructions, whatever its position, and never by the
/// scalar library.
constexpr Index lanes = 8;

/// y_i = f(x_i) or f(x_i + u_i). ivdep: an output may be one of the inputs; without ivdep the compiler's test
/// for overlap would then choose a scalar loop. noinline: where the compiler sees a loop over a single
/// register, it unrolls the loop to scalar calls.
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

}  // namespace model
}  // namespace poise
