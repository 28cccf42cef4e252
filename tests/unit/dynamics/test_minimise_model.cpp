#include <gtest/gtest.h>

#include "poise/objective/collapsed_model.hpp"
#include "support/given_options.hpp"
#include "poise/dynamics/minimise.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

using namespace testing_support;

/// Minimum of Σ ‖W φ_i − y_i‖²/n over all W, q x m, by normal equations, for the samples of random_problem.
double least_squares_loss(Index m, Index q, Index n) {
  const ProcessGrid alone(MPI_COMM_SELF);
  const ParameterLayout layout(alone, m, q);
  const Problem problem = random_problem(layout, squared_loss(), n);
  const double* const phi = problem.train.features.data();
  const double* const y = problem.train.targets.data();
  std::vector<std::vector<double>> rows(static_cast<std::size_t>(m));  // of [ΦΦᵀ | ΦYᵀ]
  for (Index j = 0; j < m; ++j)
    for (Index k = 0; k < m + q; ++k) {
      double sum = 0.0;
      for (Index i = 0; i < n; ++i) sum += phi[i * m + j] * (k < m ? phi[i * m + k] : y[i * q + k - m]);
      rows[static_cast<std::size_t>(j)].push_back(sum);
    }
  for (auto& pivot : rows) {  // Gauss-Jordan; positive definite, so no pivoting
    const auto p = static_cast<std::size_t>(&pivot - rows.data());
    const double scale = pivot[p];
    for (double& entry : pivot) entry /= scale;
    for (auto& row : rows) {
      if (&row == &pivot) continue;
      const double factor = row[p];
      for (std::size_t k = 0; k < row.size(); ++k) row[k] -= factor * pivot[k];
    }
  }
  double loss = 0.0;
  for (Index i = 0; i < n; ++i)
    for (Index c = 0; c < q; ++c) {
      double residual = -y[i * q + c];
      for (Index j = 0; j < m; ++j)
        residual += rows[static_cast<std::size_t>(j)][static_cast<std::size_t>(m + c)] * phi[i * m + j];
      loss += residual * residual / static_cast<double>(n);
    }
  return loss;
}

class MinimiseModelTest : public testing::TestWithParam<const char*> {};

TEST_P(MinimiseModelTest, ReachesTheLeastSquaresOnEveryGrid) {
  // With 40 samples one linear map has the least loss: all types end with the same loss.
  const GivenOptions type(OptionList{{"min_tao_type", GetParam()}});
  for (const int feature_ranks : feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const ParameterLayout layout(grid, 4, 2);
    const Problem problem = random_problem(layout, squared_loss(), 40);
    CollapsedModel model(layout, 0.5);
    ShallowLoss loss(layout, problem);
    CollapsedObjective objective(model, loss);
    const VecHandle theta = layout.create();
    layout.initialise(theta.get(), 3, 0.3, 1.0);
    Minimise minimise(objective, theta.get(), 2000);
    DynamicsState state;
    double last_loss = 0.0;
    const auto observer = [&](const DynamicsState&, Vec, Vec, const Evaluation& evaluation) {
      last_loss = evaluation.train.loss;
      return true;
    };
    EXPECT_EQ(minimise.run(theta.get(), state, observer), StopReason::converged);
    EXPECT_NEAR(last_loss, least_squares_loss(4, 2, 40), 1e-13);
  }
}

// Not ntl: near the flat valley of minima its preconditioner makes it take a thousand steps.
INSTANTIATE_TEST_SUITE_P(Types, MinimiseModelTest, testing::Values("lmvm", "cg", "bncg", "ntr", "nls"),
                         [](const auto& type) { return std::string(type.param); });

}  // namespace
}  // namespace poise
