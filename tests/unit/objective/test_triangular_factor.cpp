#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "explicit_networks.hpp"
#include "poise/objective/explicit_objectives.hpp"
#include "poise/objective/shallow_loss.hpp"

namespace poise {
namespace {

using namespace testing_support;

constexpr Index m = 6, q = 2, n = 40;

/// Samples whose targets are `offset` from what W = 0.1 (i + 1)(c + 1) predicts but for small residuals, with
/// weights from 0.5 to 2 if wanted.
SampleSet samples_near(const ParameterLayout& layout, double offset, bool weighted) {
  SampleSet set = random_samples(layout, squared_loss(), n, 5);
  for (double& y : set.targets) y += offset;
  const Range columns = layout.grid().samples(n);
  if (weighted)
    for (Index i = columns.begin; i < columns.end; ++i)
      set.weights.push_back(std::ldexp(1.0, static_cast<int>(i % 3) - 1));
  return set;
}

/// s Σ_i ω_i ‖Wφ_i − y_i‖² in long double, W of feature 0 equal to `offset` alone where feature 0 is 1.
double direct_loss(const SampleSet& all, double offset) {
  long double sum = 0.0L;
  for (Index i = 0; i < n; ++i)
    for (Index c = 0; c < q; ++c) {
      const long double residual =
          static_cast<long double>(offset) * all.features[i * m] - all.targets[i * q + c];
      sum += (all.weights.empty() ? 1.0L : all.weights[i]) * residual * residual;
    }
  return static_cast<double>(sum / n);
}

TEST(TriangularFactor, LossKeepsItsDigitsWhereTargetsAreLargeBesideResiduals) {
  const ProcessGrid self(MPI_COMM_SELF);
  const ParameterLayout serial(self, m, q);
  for (const int feature_ranks : feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const ParameterLayout layout(grid, m, q);
    for (const bool weighted : {false, true}) {
      for (const double offset : {0.0, 1e4, 1e8}) {
        Problem problem{squared_loss(), true, q, samples_near(layout, offset, weighted), {}};
        SampleSet all = samples_near(serial, offset, weighted);
        for (Index i = 0; i < n; ++i) all.features[i * m] = 1.0;
        if (local_rows(grid, m).begin == 0)
          for (Index i = 0; i < problem.train.count; ++i)
            problem.train.features[i * local_rows(grid, m).size()] = 1.0;
        ShallowLoss loss(layout, problem);
        std::vector<double> w(static_cast<std::size_t>(layout.slice().size() * q), 0.0), gradient(w.size());
        if (layout.slice().begin == 0 && layout.slice().size() > 0)
          for (Index c = 0; c < q; ++c) w[c * layout.slice().size()] = offset;
        const double found = loss.value_and_gradient(w.data(), gradient.data()).loss;
        // The targets have rounding ε · offset, the residuals have size 1. A loss from Gram matrices has
        // ε · offset², all digits at 1e8.
        EXPECT_NEAR(found, direct_loss(all, offset), 1e-13 + 1e-14 * offset) << offset << weighted;
        EXPECT_GE(found, 0.0);
      }
    }
  }
}

TEST(TriangularFactor, HoldsTheSumsOfTheSamplesAndTheirWeights) {
  for (const int feature_ranks : feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const ParameterLayout layout(grid, m, q);
    for (const bool weighted : {false, true}) {
      const SampleSet set = samples_near(layout, 0.0, weighted);
      const TriangularFactor factor = triangular_factor(layout, set);
      double own = 0.0;
      for (std::size_t e = 0; e < set.targets.size(); ++e)
        own += (weighted ? set.weights[e / q] : 1.0) * set.targets[e] * set.targets[e];
      MPI_Allreduce(MPI_IN_PLACE, &own, 1, MPI_DOUBLE, MPI_SUM, grid.sample());
      EXPECT_NEAR(factor.targets_norm2, own, 1e-12 * own);
      double kept = 0.0;
      for (const double t : factor.targets) kept += t * t;
      MPI_Allreduce(MPI_IN_PLACE, &kept, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
      EXPECT_NEAR(kept + factor.rest_norm2, own, 1e-12 * own);
    }
  }
}

TEST(ClassWeights, AreInTheLossAndInItsGradient) {
  for (const int feature_ranks : feature_rank_choices()) {
    for (const Loss* kind : {squared_loss(), cross_entropy_loss()}) {
      const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
      const ParameterLayout layout(grid, m, q, std::vector<ParameterBlock>{});
      Problem problem = random_problem(layout, kind, n);
      const Range columns = grid.samples(n);
      Problem twice = problem;  // weights of 2 double the loss
      problem.train.weights.assign(static_cast<std::size_t>(columns.size()), 2.0);
      ShallowObjective weighted(layout, problem, 16), plain(layout, twice, 16);
      const VecHandle theta = layout.create();
      randomise(layout, theta.get(), 3, 0.5);
      const VecHandle gradient = duplicate(theta.get());
      const double loss = weighted.value_and_gradient(theta.get(), gradient.get()).train.loss;
      EXPECT_NEAR(loss, 2.0 * plain.value_and_gradient(theta.get(), gradient.get()).train.loss, 1e-13 * loss);
      for (Index i = 0; i < columns.size(); ++i)
        problem.train.weights[static_cast<std::size_t>(i)] =
            0.5 + static_cast<double>((columns.begin + i) % 4);
      ShallowObjective uneven(layout, problem, 16);
      EXPECT_GE(taylor_order(uneven, layout, theta.get()), 1.9);
    }
  }
}

}  // namespace
}  // namespace poise
