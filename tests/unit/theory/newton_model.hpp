#pragma once

#include <memory>
#include <ostream>

#include "poise/theory/trust_region_newton.hpp"
#include "unit/theory/dense_newton.hpp"

namespace poise::testing {

/// Bound of the errors. They are 1e-13, the tolerance of all solves, times the condition number of U, (1 +
/// γ)/(1 − γ) = 199 at most here, and the condition number of the trust region, 1/(1 − share) = 10: 2e-10,
/// and some room.
inline constexpr double wanted = 1e-8;

struct NewtonCase {
  const Loss* loss;
  Index m, q, n;
  double gamma;
};

inline void PrintTo(const NewtonCase& c, std::ostream* out) {
  *out << c.loss->name() << " m " << c.m << " q " << c.q << " n " << c.n << " gamma " << c.gamma;
}

/// A model at random parameters, with everything that the check needs.
struct NewtonModel {
  explicit NewtonModel(const NewtonCase& c, double scale_b = 1.0)
      : grid(MPI_COMM_WORLD),
        layout(grid, c.m, c.q),
        problem(testing_support::random_problem(layout, c.loss, c.n)),
        model(layout, c.gamma),
        theta(layout.create()),
        dynamics(model.softmax(), c.gamma, c.q) {
    layout.initialise(theta.get(), 3, 1.0, scale_b);
    (void)model.set_parameters(theta.get());
    dynamics.update(model.w());
    loss = std::make_unique<ShallowLoss>(layout, problem);
  }
  [[nodiscard]] Dense softmax() const { return whole_softmax(model.softmax()); }
  [[nodiscard]] Dense w() const { return whole_block(model.softmax(), layout.outputs(), model.w()); }
  [[nodiscard]] TrustRegionNewtonCheck check_of(const DynamicsMatrix& d) { return {model, *loss, d, 7}; }
  ProcessGrid grid;
  ParameterLayout layout;
  Problem problem;
  CollapsedModel model;
  VecHandle theta;
  DynamicsMatrix dynamics;
  std::unique_ptr<ShallowLoss> loss;
};

}  // namespace poise::testing
