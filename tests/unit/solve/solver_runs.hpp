#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "model_cases.hpp"
#include "model_on_grid.hpp"
#include "poise/base/error.hpp"
#include "poise/solve/adjoint_solver.hpp"
#include "poise/solve/equilibrium_solver.hpp"
#include "support/given_options.hpp"
#include "support/problems.hpp"

namespace poise {

// Models for the tests of solvers.
using Linear = SoftmaxLinearAt90;
using TanhSoftmax = PointwiseCase<Act::tanh, Kind::softmax, Input::weights_and_bias, 90>;
using ReluMonotone = PointwiseCase<Act::relu, Kind::monotone, Input::weights_and_bias, 30>;
/// Its W has a large skew part: ‖I − W‖ is far above 1 and plain iteration diverges.
using SkewMonotone = PointwiseCase<Act::tanh, Kind::monotone, Input::weights_and_bias, 20, 600>;

/// Result of a solver for a panel.
struct Solved {
  Outcome outcome;
  Block x, slopes;
};

/// Solves the columns of `u` from z = u with a panel of `columns`.
inline Solved solve_cold(EquilibriumSolver& solver, const EquilibriumMap& map, Index p, const Block& u) {
  Solved solved{{}, u, Block(static_cast<std::size_t>(map.slope_rows() * p))};
  solved.outcome = solver.solve(p, u.data(), solved.x.data(), solved.slopes.data());
  return solved;
}

/// ‖z − h(z)‖/‖h(z)‖ of every sample.
inline Block relative_residuals(MPI_Comm comm, const EquilibriumMap& map, Index p, const Block& u,
                                const Block& z) {
  Block h(z.size()), size(static_cast<std::size_t>(p)), residual(size);
  map.apply(p, z.data(), u.data(), h.data());
  column_norms(comm, map.local_states(), p, h.data(), size.data());
  for (std::size_t i = 0; i < h.size(); ++i) h[i] -= z[i];
  column_norms(comm, map.local_states(), p, h.data(), residual.data());
  for (Index c = 0; c < p; ++c)
    if (size[c] > 0.0) residual[c] /= size[c];
  return residual;
}

/// ‖λ − (∂h/∂z)ᵀλ − r‖/‖r‖ of every sample.
inline Block relative_adjoint_residuals(MPI_Comm comm, const EquilibriumMap& map, Index p,
                                        const Block& slopes, const Block& rhs, const Block& lambda) {
  Block image(rhs.size()), size(static_cast<std::size_t>(p)), residual(size);
  map.jacobian_transpose(p, slopes.data(), lambda.data(), image.data());
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = lambda[i] - image[i] - rhs[i];
  column_norms(comm, map.local_states(), p, rhs.data(), size.data());
  column_norms(comm, map.local_states(), p, image.data(), residual.data());
  for (Index c = 0; c < p; ++c)
    if (size[c] > 0.0) residual[c] /= size[c];
  return residual;
}

/// A converged Outcome: no sample is above `limit`, and the worst sample is named.
inline void expect_contract(const Outcome& outcome, const Block& residuals, double limit) {
  ASSERT_TRUE(outcome.converged) << outcome.reason << ", residual " << outcome.residual;
  double worst = 0.0;
  for (std::size_t c = 0; c < residuals.size(); ++c) {
    EXPECT_LE(residuals[c], limit) << "sample " << c;
    worst = std::max(worst, residuals[c]);
  }
  // The rounding of a residual is relative to ‖z‖, not to the residual.
  EXPECT_NEAR(outcome.residual, worst, 1e-14);
  ASSERT_GE(outcome.worst_sample, 0);
  ASSERT_LT(outcome.worst_sample, static_cast<Index>(residuals.size()));
  EXPECT_NEAR(residuals[static_cast<std::size_t>(outcome.worst_sample)], worst, 1e-14);
}

/// Largest difference of two blocks relative to the largest entry of the second, on all ranks of `comm`; 1 if
/// one has a NaN.
inline double relative_difference(MPI_Comm comm, const Block& a, const Block& b) {
  double sizes[2] = {0.0, 0.0};
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    sizes[0] = std::isfinite(difference) ? std::max(sizes[0], difference) : 1e300;
    sizes[1] = std::max(sizes[1], std::abs(b[i]));
  }
  MPI_Allreduce(MPI_IN_PLACE, sizes, 2, MPI_DOUBLE, MPI_MAX, comm);
  return sizes[0] == 0.0 ? 0.0 : std::min(1.0, sizes[0] / sizes[1]);
}

/// The message of the bad_input Error that `make` throws, or "accepted".
template <class Make>
std::string refusal(Make make) {
  try {
    make();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input) << error.what();
    return error.what();
  }
  return "accepted";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace poise
