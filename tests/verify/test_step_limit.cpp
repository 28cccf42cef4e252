// The step limits against descent itself. Near the optimum the error falls at the predicted rate below the
// local limit, and grows at the predicted rate above the limit.
#include <gtest/gtest.h>

#include <cmath>

#include "poise/dynamics/descent.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/theory/dynamics_eigenvalues.hpp"
#include "poise/theory/least_squares_reference.hpp"
#include "poise/theory/step_limit.hpp"
#include "unit/theory/dense_curvature.hpp"

namespace poise {
namespace {

using namespace testing_support;

struct NearTheOptimum {
  static constexpr Index m = 6, q = 3, n = 25;
  static constexpr double gamma = 0.8;

  NearTheOptimum()
      : grid(MPI_COMM_WORLD),
        layout(grid, m, q),
        problem(random_problem(layout, squared_loss(), n)),
        model(layout, gamma),
        loss(layout, problem),
        reference(*loss.factor(), q, problem.scale(n)),
        objective(model, loss),
        dynamics(model.softmax(), gamma, q),
        theta(layout.create()) {
    layout.initialise(theta.get(), 4, 1.0, 1.0);
    (void)model.set_parameters(theta.get());
  }
  /// B = W*U with the present A, so that W = W*; then moved by `size` times random numbers.
  void start(double size) {
    const RowBlockMatrix& s = model.softmax();
    std::vector<double> product(reference.optimum().size());
    s.multiply_transpose(q, reference.optimum().data(), product.data());  // Bᵀ = UᵀW*ᵀ = W*ᵀ − γSᵀW*ᵀ
    const CounterRandom random(9, Stream::test_direction);
    const Index rows = layout.slice().size();
    {
      WriteArray values(theta.get());
      for (Index i = 0; i < rows; ++i)
        for (Index c = 0; c < q; ++c) {
          const auto e = static_cast<std::size_t>(c * rows + i);
          values[static_cast<std::size_t>(i * layout.row_length() + m + c)] =
              reference.optimum()[e] - gamma * product[e] +
              size * random.normal(static_cast<std::uint64_t>(layout.slice().begin + i),
                                   static_cast<std::uint64_t>(c));
        }
    }
    (void)model.set_parameters(theta.get());
    dynamics.update(model.w());
  }
  /// Excess before every step and after the last.
  std::vector<double> descend(double eta, Index steps) {
    DescentSettings settings;
    settings.step_size = eta;
    Descent descent(objective, theta.get(), settings, 1e9, steps);
    DynamicsState state;
    std::vector<double> excess;
    descent.run(theta.get(), state, [&](const DynamicsState&, Vec at, Vec, const Evaluation&) {
      (void)model.set_parameters(at);
      excess.push_back(reference.distance(model.w()).excess);
      return true;
    });
    return excess;
  }
  /// All curvatures μ at θ, ascending.
  [[nodiscard]] std::vector<double> spectrum() const {
    const testing::Dense w = testing::whole_block(model.softmax(), q, model.w());
    const testing::Dense d = testing::explicit_dynamics(testing::whole_softmax(model.softmax()), w, gamma);
    return testing::curvatures(
        d, testing::explicit_hessian(squared_loss(), testing::random_features(m, n), w, problem.scale(n)));
  }

  ProcessGrid grid;
  ParameterLayout layout;
  Problem problem;
  CollapsedModel model;
  ShallowLoss loss;
  LeastSquaresReference reference;
  CollapsedObjective objective;
  DynamicsMatrix dynamics;
  VecHandle theta;
};

/// Relative error of the linearisation: the size of the start (the distance of W from W*) times a constant,
/// which is below 1000 here. Rates are compared to this accuracy.
constexpr double start_size = 1e-7;
constexpr double rate_tolerance = 1e-3;

TEST(StepLimitVerify, DescentBelowTheLocalLimitConvergesAtThePredictedRate) {
  for (const double share : {0.5, 0.9}) {
    NearTheOptimum run;
    run.start(start_size);
    const double eta = share * StepLimitSolver(run.model, run.loss, run.dynamics).measure().local;
    double slowest = 0.0;
    for (const double mu : run.spectrum()) slowest = std::max(slowest, std::abs(1.0 - eta * mu));
    ASSERT_LT(slowest, 1.0);
    // At the end only the slowest component is left; the excess must still be above rounding.
    const std::vector<double> excess = run.descend(eta, 400);
    ASSERT_EQ(excess.size(), 401U);
    const double rounding = run.reference.excess_rounding(run.model.weight_error());
    std::size_t last = 400;
    while (last > 100 && excess[last] < 1e6 * rounding) --last;
    const double measured = std::pow(excess[last] / excess[last - 50], 1.0 / 50.0);
    EXPECT_NEAR(measured, slowest * slowest, rate_tolerance) << "share " << share;
  }
}

TEST(StepLimitVerify, DescentAboveTheLocalLimitDivergesAtThePredictedRate) {
  NearTheOptimum run;
  run.start(start_size);
  const StepLimit limit = StepLimitSolver(run.model, run.loss, run.dynamics).measure();
  const double eta = 1.1 * limit.local;
  const std::vector<double> mu = run.spectrum();
  // 1 − ημ_max = −1.2: the excess grows by 1.44 per step, and 60 steps stay in the linear range. The excess
  // is a sum over the modes, so a growth above the growth of the second mode is the growth of the first.
  const std::vector<double> excess = run.descend(eta, 60);
  EXPECT_GT(excess.back(), 1e3 * excess.front());
  const double growth = std::pow(excess[60] / excess[40], 1.0 / 20.0);
  EXPECT_LT(growth, 1.2 * 1.2 + rate_tolerance);
  EXPECT_GT(growth, std::pow(1.0 - eta * mu[mu.size() - 2], 2));
}

TEST(StepLimitVerify, EveryStepBelowTheGuaranteedLimitContractsByTheGuaranteedFactor) {
  NearTheOptimum run;
  run.start(start_size);
  SmallestEigensolver smallest(run.dynamics, 1);
  const double lambda_min = smallest.solve().lambda_min;
  const StepLimit limit = StepLimitSolver(run.model, run.loss, run.dynamics).measure();
  for (const double share : {0.1, 0.5, 0.9}) {
    run.start(start_size);
    const double eta = share * limit.guaranteed;
    const double factor = limit.factor(eta, run.reference.kappa(), lambda_min);
    ASSERT_LT(factor, 1.0);
    const std::vector<double> excess = run.descend(eta, 30);
    for (std::size_t k = 0; k + 1 < excess.size(); ++k)
      EXPECT_LE(excess[k + 1], factor * excess[k] * (1.0 + rate_tolerance)) << "share " << share;
  }
}

}  // namespace
}  // namespace poise
