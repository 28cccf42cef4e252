// Equilibria of graphs and their adjoints, THEORY.md 8: against dense algebra, difference quotients and each
// other, on every grid of ranks.
#include <gtest/gtest.h>
#include <petscsys.h>
#include <petscblaslapack.h>

#include <cmath>
#include <numeric>

#include "graph_on_grid.hpp"
#include "poise/base/error.hpp"
#include "poise/graph_solve/scalar_system.hpp"

namespace poise {
namespace {

using testing_support::feature_rank_choices;
using testing_support::GivenOptions;
using testing_support::OptionList;
using Case = GraphOnGrid::Case;

const Pointwise::Shape linear{.activation = Activation::identity, .gamma = 0.9};

/// Every kind of slopes, S and weights.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Normalisation normalisation : {Normalisation::symmetric, Normalisation::walk})
    for (const Activation activation : {Activation::identity, Activation::tanh, Activation::relu})
      all.push_back({.shape = {.activation = activation, .gamma = 0.9}, .normalisation = normalisation});
  all.push_back({.shape = {.activation = Activation::tanh, .weights = WeightKind::spectral, .gamma = 0.8}});
  all.push_back({.shape = {.activation = Activation::tanh, .gamma = 0.9}, .hops = 2});
  all.push_back({.shape = {.activation = Activation::relu, .gamma = 0.9},
                 .normalisation = Normalisation::walk,
                 .hops = 3});
  all.push_back({.shape = {.activation = Activation::tanh, .weights = WeightKind::free, .gamma = 0.05},
                 .normalisation = Normalisation::none});
  return all;
}

/// S of THEORY.md 8.2 by its definition, n x n, column-major.
Block dense_matrix(const WholeGraph& graph, Normalisation normalisation) {
  const Index n = graph.nodes;
  Block s(static_cast<std::size_t>(n * n), 0.0);
  std::vector<double> degrees(static_cast<std::size_t>(n), 1.0);
  for (const auto& [i, j] : graph.entries) degrees[i] += 1.0;
  for (Index j = 0; j < n; ++j)
    for (Index i = 0; i < n; ++i) {
      // Column j belongs to the node that takes the states of its neighbours i.
      if (i != j && !graph.entries.contains({j, i})) continue;
      if (normalisation == Normalisation::none) s[j * n + i] = i == j ? 0.0 : 1.0;
      if (normalisation == Normalisation::walk) s[j * n + i] = 1.0 / degrees[j];
      if (normalisation == Normalisation::symmetric) s[j * n + i] = 1.0 / std::sqrt(degrees[i] * degrees[j]);
    }
  return s;
}

/// S^K.
Block dense_power(const WholeGraph& graph, Normalisation normalisation, Index hops) {
  const Index n = graph.nodes;
  const Block s = dense_matrix(graph, normalisation);
  Block power = s;
  for (Index hop = 1; hop < hops; ++hop) {
    Block next(s.size(), 0.0);
    for (Index j = 0; j < n; ++j)
      for (Index k = 0; k < n; ++k)
        for (Index i = 0; i < n; ++i) next[j * n + i] += power[k * n + i] * s[j * n + k];
    power.swap(next);
  }
  return power;
}

/// W, m x m, column-major, on every rank.
Block dense_weights(const GraphOnGrid& model) {
  const Index m = model.layout.width();
  Block weights(static_cast<std::size_t>(m * m), 0.0);
  const RowBlockMatrix& w = model.map.pointwise_form()->weights;
  for (Index i = 0; i < w.local_rows(); ++i)
    for (Index j = 0; j < m; ++j) weights[j * m + w.row_begin() + i] = w.rows()[i * m + j];
  MPI_Allreduce(MPI_IN_PLACE, weights.data(), static_cast<int>(m * m), MPI_DOUBLE, MPI_SUM,
                model.grid.feature());
  return weights;
}

/// (I − Sᵀ ⊗ W)^-1 vec(Φ).
Block kronecker_solution(const Block& s, Index n, const Block& w, Index m, Block phi) {
  const auto size = static_cast<PetscBLASInt>(n * m);
  Block system(static_cast<std::size_t>(size) * static_cast<std::size_t>(size));
  for (Index j = 0; j < n; ++j)
    for (Index k = 0; k < n; ++k)
      for (Index a = 0; a < m; ++a)
        for (Index b = 0; b < m; ++b)
          system[(k * m + b) * size + j * m + a] =
              (j == k && a == b ? 1.0 : 0.0) - s[j * n + k] * w[b * m + a];
  std::vector<PetscBLASInt> pivots(static_cast<std::size_t>(size));
  const PetscBLASInt one = 1;
  PetscBLASInt info = 0;
  LAPACKgesv_(&size, &one, system.data(), &size, pivots.data(), phi.data(), &size, &info);
  EXPECT_EQ(info, 0);
  return phi;
}

TEST(GraphEquilibrium, LinearStatesAreTheKroneckerSolution) {
  for (const int f : feature_rank_choices())
    for (const bool directed : {false, true})
      for (const Normalisation normalisation : {Normalisation::symmetric, Normalisation::walk})
        for (const Index hops : {Index{1}, Index{2}, Index{3}}) {
          if (directed && normalisation == Normalisation::symmetric) continue;
          const WholeGraph graph = WholeGraph::random(14, 0.25, directed);
          GraphOnGrid model(f, graph, {.shape = linear, .normalisation = normalisation, .hops = hops});
          const Block phi = model.random(7);
          ASSERT_TRUE(model.solve(phi).converged);
          const Block expected =
              kronecker_solution(dense_power(graph, normalisation, hops), graph.nodes, dense_weights(model),
                                 model.layout.width(), model.whole(phi));
          EXPECT_LT(largest_difference(model.whole(model.z), expected), 1e-10)
              << "directed " << directed << ", " << f << " feature ranks, " << hops << " hops";
        }
}

/// c_j − t d_j Σ_i (S^K)ᵀ_ji c_i, or the transpose, of whole vectors.
Block scalar_product(const Block& power, bool transposed, double t, const Block& d, const Block& c) {
  const auto n = static_cast<Index>(c.size());
  Block out = c;
  for (Index j = 0; j < n; ++j)
    for (Index i = 0; i < n; ++i) {
      if (transposed)
        out[i] -= t * power[j * n + i] * d[j] * c[j];
      else
        out[j] -= t * d[j] * power[j * n + i] * c[i];
    }
  return out;
}

TEST(ScalarSystem, SolvesForEveryPowerOfSAndItsTranspose) {
  const GivenOptions given(OptionList{{"eq_scalar_ksp_rtol", "1e-12"}});
  for (const bool directed : {false, true})
    for (const Normalisation normalisation : {Normalisation::symmetric, Normalisation::walk})
      for (const Index hops : {Index{1}, Index{2}, Index{3}})
        for (const bool transposed : {false, true})
          for (const bool slopes : {false, true}) {
            if (directed && normalisation == Normalisation::symmetric) continue;
            const WholeGraph graph = WholeGraph::random(30, 0.1, directed);
            GraphOnGrid model(1, graph, {.normalisation = normalisation, .m = 1, .hops = hops});
            ScalarSystem system(model.grid, model.matrix, "eq_scalar_", transposed);
            Block d(30, 1.0);
            for (Index n = 0; slopes && n < 30; ++n) d[n] = n % 7 == 0 ? 0.0 : 1.0 / (1.0 + n % 4);
            system.update(0.9, slopes ? d.data() + model.matrix.own().begin : nullptr);
            const Block r = model.random(7);
            Block c = model.empty();
            system.solve(r.data(), c.data());
            const Block found =
                scalar_product(dense_power(graph, normalisation, hops), transposed, 0.9, d, model.whole(c));
            EXPECT_LT(largest_difference(found, model.whole(r)), 1e-9)
                << "directed " << directed << to_string(normalisation) << hops << transposed << slopes;
          }
}

TEST(GraphEquilibrium, TheAdjointOfADirectedGraphWithHopsIsTheTransposeOfTheInverse) {
  const WholeGraph graph = WholeGraph::random(40, 0.08, true);
  for (const int f : feature_rank_choices())
    for (const Index hops : {Index{1}, Index{2}, Index{3}}) {
      GraphOnGrid model(f, graph, {.normalisation = Normalisation::walk, .hops = hops});
      ASSERT_TRUE(model.solve(model.random(7)).converged);
      const Block v = model.random(8), y = model.random(9);
      Block right = model.empty(), lambda = model.empty();
      ASSERT_TRUE(model.adjoint.solve(model.slopes.data(), y.data(), lambda.data()).converged);
      model.equation.jacobian(model.slopes.data(), v.data(), right.data());
      for (std::size_t i = 0; i < v.size(); ++i) right[i] = v[i] - right[i];
      EXPECT_NEAR(model.dot(lambda, right), model.dot(y, v), 1e-9) << hops;
    }
}

TEST(GraphEquilibrium, ColumnSumsOfTheLinearModelSolveTheScalarSystem) {
  const WholeGraph graph = WholeGraph::random(40, 0.1);
  for (const Normalisation normalisation : {Normalisation::symmetric, Normalisation::walk}) {
    GraphOnGrid model(1, graph, {.shape = linear, .normalisation = normalisation});
    const Block phi = model.random(7);
    ASSERT_TRUE(model.solve(phi).converged);
    const Block s = dense_matrix(graph, normalisation);
    const auto sums = [&](const Block& block) {
      const Block all = model.whole(block);
      Block result;
      for (Index n = 0; n < graph.nodes; ++n)
        result.push_back(std::accumulate(all.begin() + n * 5, all.begin() + (n + 1) * 5, 0.0));
      return result;
    };
    const Block z = sums(model.z);
    Block left = z;
    for (Index j = 0; j < graph.nodes; ++j)
      for (Index i = 0; i < graph.nodes; ++i) left[j] -= 0.9 * z[i] * s[j * graph.nodes + i];
    EXPECT_LT(largest_difference(left, sums(phi)), 1e-10);
  }
}

TEST(GraphEquilibrium, EveryTypeOfSolverFindsTheSameStatesAndAdjoints) {
  const std::vector<OptionList> choices{
      {},
      {{"eq_snes_type", "nrichardson"},
       {"eq_snes_linesearch_type", "basic"},
       {"adj_ksp_type", "richardson"},
       {"adj_pc_type", "none"}},
      {{"eq_snes_type", "anderson"}, {"adj_ksp_type", "bcgs"}, {"adj_pc_type", "none"}},
      {{"eq_pc_type", "none"}, {"adj_ksp_type", "gmres"}, {"adj_pc_type", "none"}}};
  const WholeGraph graph = WholeGraph::random(40, 0.08);
  for (const int f : feature_rank_choices())
    for (const Case& c : cases()) {
      Block states, adjoints;
      for (const OptionList& options : choices) {
        const GivenOptions given(options);
        GraphOnGrid model(f, graph, c);
        ASSERT_TRUE(model.solve(model.random(7)).converged) << given.text();
        Block lambda = model.random(8);
        ASSERT_TRUE(model.adjoint.solve(model.slopes.data(), model.random(9).data(), lambda.data()).converged)
            << given.text();
        if (states.empty()) {
          states = model.z;
          adjoints = lambda;
        }
        EXPECT_LT(largest_difference(model.z, states), 1e-9) << given.text();
        EXPECT_LT(largest_difference(lambda, adjoints), 1e-9) << given.text();
      }
    }
}

TEST(GraphEquilibrium, TheAdjointIsTheTransposeOfTheInverse) {
  const WholeGraph graph = WholeGraph::random(40, 0.08);
  for (const int f : feature_rank_choices())
    for (const Case& c : cases()) {
      GraphOnGrid model(f, graph, c);
      ASSERT_TRUE(model.solve(model.random(7)).converged);
      const Block v = model.random(8), y = model.random(9);
      Block jv = model.empty(), jy = model.empty(), lambda = model.empty();
      model.equation.jacobian(model.slopes.data(), v.data(), jv.data());
      model.equation.jacobian_transpose(model.slopes.data(), y.data(), jy.data());
      EXPECT_NEAR(model.dot(jv, y), model.dot(v, jy), 1e-12 * std::sqrt(model.dot(v, v) * model.dot(y, y)));
      ASSERT_TRUE(model.adjoint.solve(model.slopes.data(), y.data(), lambda.data()).converged);
      Block right = v;
      for (std::size_t i = 0; i < v.size(); ++i) right[i] -= jv[i];
      EXPECT_NEAR(model.dot(lambda, right), model.dot(y, v), 1e-9);
    }
}

TEST(GraphEquilibrium, TheGradientIsTheDifferenceQuotient) {
  const WholeGraph graph = WholeGraph::random(30, 0.1);
  for (const int f : feature_rank_choices())
    for (const Case& c : cases()) {
      if (c.shape.activation == Activation::relu) continue;  // kinks
      GraphOnGrid model(f, graph, c);
      const Block phi = model.random(7), y = model.random(9);
      ASSERT_TRUE(model.solve(phi).converged);
      Block lambda = model.empty();
      ASSERT_TRUE(model.adjoint.solve(model.slopes.data(), y.data(), lambda.data()).converged);
      model.map.clear_gradient();
      model.equation.add_gradient(model.slopes.data(), model.z.data(), phi.data(), lambda.data());
      const VecHandle gradient = duplicate(model.theta.get()), direction = duplicate(model.theta.get());
      check(VecSet(gradient.get(), 0.0));
      model.map.write_gradient(gradient.get());
      model.layout.initialise(direction.get(), 17, 1.0, 0.0);
      double slope = 0.0;
      check(VecDot(gradient.get(), direction.get(), &slope));
      const auto value = [&](double step) {
        check(VecAXPY(model.theta.get(), step, direction.get()));
        model.set_parameters();
        EXPECT_TRUE(model.solve(phi).converged);
        return model.dot(y, model.z);
      };
      const double step = 1e-4;
      const double quotient = (value(step) - value(-2.0 * step)) / (2.0 * step);
      EXPECT_NEAR(slope, quotient, 1e-5 * std::max(1.0, std::abs(quotient)));
    }
}

TEST(GraphEquilibrium, StatesDoNotDependOnTheOrderOfTheNodes) {
  const WholeGraph graph = WholeGraph::random(40, 0.08);
  std::vector<Index> order(40);
  for (Index i = 0; i < 40; ++i) order[i] = (7 * i + 3) % 40;
  std::vector<Index> back(40);
  for (Index i = 0; i < 40; ++i) back[order[i]] = i;
  for (const Case& c : cases()) {
    GraphOnGrid model(1, graph, c), other(1, graph.renumbered(order), c);
    ASSERT_TRUE(model.solve(model.random(7)).converged);
    ASSERT_TRUE(other.solve(other.random(7, back)).converged);
    const Block z = model.whole(model.z), there = other.whole(other.z);
    Block here;
    for (Index i = 0; i < 40; ++i)
      here.insert(here.end(), there.begin() + order[i] * 5, there.begin() + (order[i] + 1) * 5);
    EXPECT_LT(largest_difference(z, here), 1e-10);
  }
}

TEST(GraphEquilibrium, StatesDoNotDependOnTheNumberOfRanks) {
  const WholeGraph graph = WholeGraph::random(40, 0.08);
  for (const Case& c : cases()) {
    GraphOnGrid alone(1, graph, c, MPI_COMM_SELF);
    ASSERT_TRUE(alone.solve(alone.random(7)).converged);
    for (const int f : feature_rank_choices()) {
      GraphOnGrid model(f, graph, c);
      ASSERT_TRUE(model.solve(model.random(7)).converged);
      EXPECT_LT(largest_difference(model.whole(model.z), alone.z), 1e-10) << f << " feature ranks";
    }
  }
}

// THEORY.md 8.2: walk with softmax weights contracts the largest 1-norm of a node by γ.
TEST(GraphEquilibrium, TheErrorOfAnyStatesIsAtMostTheirResidualOverOneMinusGamma) {
  const WholeGraph graph = WholeGraph::random(40, 0.08);
  GraphOnGrid model(
      1, graph,
      {.shape = {.activation = Activation::tanh, .gamma = 0.9}, .normalisation = Normalisation::walk});
  const Block phi = model.random(7), guess = model.random(8);
  ASSERT_TRUE(model.solve(phi).converged);
  Block h = model.empty();
  model.equation.apply(guess.data(), phi.data(), h.data());
  const auto largest_distance = [&](const Block& a, const Block& b) {
    const Block x = model.whole(a), y = model.whole(b);
    double largest = 0.0;
    for (Index n = 0; n < graph.nodes; ++n) {
      double sum = 0.0;
      for (Index i = 0; i < 5; ++i) sum += std::abs(x[n * 5 + i] - y[n * 5 + i]);
      largest = std::max(largest, sum);
    }
    return largest;
  };
  const double error = largest_distance(guess, model.z), residual = largest_distance(guess, h);
  EXPECT_LE(error, residual / 0.1);
  EXPECT_GT(error, 0.1 * residual);
}

Index iterations_on_grid(const Case& c, Index side) {
  const ProcessGrid ranks(MPI_COMM_WORLD, 1);
  WholeGraph graph{.nodes = side * side};
  for (Index i = 0; i < graph.nodes; ++i) {
    if (i % side != 0) graph.entries.insert({{i, i - 1}, {i - 1, i}});
    if (i >= side) graph.entries.insert({{i, i - side}, {i - side, i}});
  }
  GraphOnGrid model(1, graph, c);
  const Outcome outcome = model.solve(model.random(7));
  EXPECT_TRUE(outcome.converged);
  EXPECT_LE(outcome.residual, c.rtol);
  return outcome.iterations;
}

TEST(GraphEquilibrium, TwoLevelsNeedFewIterationsAtEveryGamma) {
  for (const Normalisation normalisation : {Normalisation::symmetric, Normalisation::walk})
    for (const Index hops : {Index{1}, Index{2}, Index{3}})
      for (const double gamma : {0.9, 0.99, 0.999}) {
        Case c{.shape = {.activation = Activation::identity, .gamma = gamma},
               .normalisation = normalisation,
               .m = 16,
               .rtol = 1e-8,
               .hops = hops};
        EXPECT_LE(iterations_on_grid(c, 40), 15) << gamma << ", " << hops << " hops";
      }
}

TEST(GraphEquilibrium, AFailedSolveNamesTheWorstNodeAndItsDegree) {
  const GivenOptions given({{"eq_snes_type", "nrichardson"}, {"eq_snes_max_it", "2"}});
  GraphOnGrid model(1, WholeGraph::random(40, 0.08), {});
  const Outcome outcome = model.solve(model.random(7));
  EXPECT_FALSE(outcome.converged);
  EXPECT_EQ(outcome.reason, "DIVERGED_MAX_IT");
  EXPECT_TRUE(outcome.place.starts_with("node ")) << outcome.place;
  EXPECT_TRUE(outcome.place.ends_with(" neighbours")) << outcome.place;
}

TEST(GraphEquilibrium, AnAdjointStopsAtItsLargestNumberOfIterations) {
  const GivenOptions given({{"adj_ksp_max_it", "2"}, {"adj_pc_type", "none"}});
  GraphOnGrid model(1, WholeGraph::random(40, 0.08), {});
  ASSERT_TRUE(model.solve(model.random(7)).converged);
  Block lambda = model.empty();
  const Outcome outcome = model.adjoint.solve(model.slopes.data(), model.random(9).data(), lambda.data());
  EXPECT_FALSE(outcome.converged);
  EXPECT_EQ(outcome.iterations, 2);
  EXPECT_EQ(outcome.reason, "DIVERGED_ITS");
}

TEST(GraphEquilibrium, UnsuitedChoicesAreRefused) {
  const WholeGraph graph = WholeGraph::random(20, 0.2);
  {
    const GivenOptions given(OptionList{{"eq_pc_type", "graphperron"}});
    EXPECT_THROW(GraphOnGrid(1, graph, {.shape = {.weights = WeightKind::free, .gamma = 0.1}}), Error);
  }
  {
    const GivenOptions given(OptionList{{"eq_snes_type", "meanfield"}});
    EXPECT_THROW(GraphOnGrid(1, graph, {}), Error);
  }
  EXPECT_THROW(GraphOnGrid(1, WholeGraph::random(20, 0.2, true), {}), Error);
}

}  // namespace
}  // namespace poise
