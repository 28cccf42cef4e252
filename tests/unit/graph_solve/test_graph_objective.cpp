// Loss and gradient of the labelled nodes of a graph, on every grid of ranks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "graph_on_grid.hpp"
#include "poise/base/error.hpp"
#include "poise/graph_solve/graph_objective.hpp"
#include "support/gradients.hpp"

namespace poise {
namespace {

using testing_support::all_entries;
using testing_support::feature_rank_choices;
using testing_support::GivenOptions;
using testing_support::gradient_of;
using testing_support::OptionList;
using testing_support::relative_distance;
using testing_support::taylor_order;

constexpr Index nodes = 40;

/// A graph whose nodes with a number below `labelled` train, so that ranks have none, and the next 10 test.
struct LabelledGraph {
  struct Case {
    Pointwise::Shape shape = {
        .activation = Activation::tanh, .gamma = 0.9, .input_weights = true, .bias = true};
    const Loss* loss = cross_entropy_loss();
    Index labelled = 6;
    bool warm_start = false;
  };
  static constexpr Index m = 5, q = 3, inputs = 7;

  LabelledGraph(int feature_ranks, const Case& c)
      : grid(MPI_COMM_WORLD, feature_ranks),
        shape(with_features(c.shape)),
        layout(grid, m, q, Pointwise::blocks(shape, m)),
        map(layout, shape),
        graph(WholeGraph::random(nodes, 0.08)),
        matrix(grid, graph.rows(grid.samples(nodes)), Normalisation::symmetric, layout.block().size()),
        problem{.loss = c.loss,
                .outputs = q,
                .train = labels(c.loss, {0, c.labelled}),
                .test = labels(c.loss, {c.labelled, c.labelled + 10})},
        objective(layout, map, matrix, features(), problem, {.rtol = 1e-13, .warm_start = c.warm_start}),
        theta(layout.create()) {
    layout.initialise(theta.get(), 3, 1.0, 1.0);
  }
  static Pointwise::Shape with_features(Pointwise::Shape shape) {
    shape.features = inputs;
    return shape;
  }
  [[nodiscard]] SampleSet labels(const Loss* loss, Range set) const {
    const CounterRandom random(9, Stream::synthetic_noise);
    const Range own = grid.samples(nodes);
    SampleSet samples{.total = set.size(), .features = {}, .targets = {}};
    for (Index n = std::max(own.begin, set.begin); n < std::min(own.end, set.end); ++n) {
      ++samples.count;
      samples.nodes.push_back(n - own.begin);
      for (Index k = 0; k < q; ++k)
        samples.targets.push_back(loss == squared_loss() ? random.normal(n, k) : (n % q == k ? 1.0 : 0.0));
    }
    return samples;
  }
  [[nodiscard]] Range feature_rows() const {
    return shape.input_weights ? testing_support::local_rows(grid, inputs) : layout.block();
  }
  [[nodiscard]] Dropout dropout(double features, double states) const {
    return {.features = {features, 5, Stream::dropped_features},
            .states = {states, 5, Stream::dropped_states},
            .feature_rows = feature_rows()};
  }
  [[nodiscard]] std::vector<double> features() const {
    const Range rows = feature_rows();
    const CounterRandom random(7, Stream::synthetic_inputs);
    std::vector<double> block;
    for (Index n = grid.samples(nodes).begin; n < grid.samples(nodes).end; ++n)
      for (Index i = rows.begin; i < rows.end; ++i) block.push_back(random.normal(n, i));
    return block;
  }

  ProcessGrid grid;
  Pointwise::Shape shape;
  ParameterLayout layout;
  Pointwise map;
  WholeGraph graph;
  GraphMatrix matrix;
  Problem problem;
  GraphObjective objective;
  VecHandle theta;
};

TEST(GraphObjective, ItsGradientHasATaylorRemainderOfSecondOrder) {
  std::vector<LabelledGraph::Case> cases(3);
  cases[1].loss = squared_loss();
  cases[2].shape = {.activation = Activation::identity, .gamma = 0.9};
  for (const int f : feature_rank_choices())
    for (const auto& c : cases) {
      LabelledGraph model(f, c);
      EXPECT_NEAR(taylor_order(model.objective, model.layout, model.theta.get(), 2e-4), 2.0, 0.1)
          << f << " feature ranks, " << c.loss->name() << to_string(c.shape.activation);
    }
}

TEST(GraphObjective, LossAndGradientDoNotDependOnTheGridOfRanks) {
  LabelledGraph::Case c;
  std::vector<double> first;
  double loss = 0.0;
  for (const int f : feature_rank_choices()) {
    LabelledGraph model(f, c);
    const auto found = gradient_of(model.objective, model.theta.get());
    if (first.empty()) {
      first = found.entries;
      loss = found.loss;
    }
    EXPECT_NEAR(found.loss, loss, 1e-11);
    EXPECT_LT(relative_distance(found.entries, first), 1e-10);
  }
}

TEST(GraphObjective, ALossOfOneLabelIsTheLossOfItsOutputs) {
  LabelledGraph::Case c;
  c.labelled = 1;
  c.loss = squared_loss();
  for (const int f : feature_rank_choices()) {
    LabelledGraph model(f, c);
    const double loss = model.objective.score(model.theta.get(), model.problem.train).loss;
    // f = Bz of node 0, by every rank that has a part of it.
    const std::vector<double> theta = all_entries(model.theta.get());
    std::vector<double> outputs(LabelledGraph::q, 0.0);
    const Range rows = model.layout.block();
    if (model.matrix.own().contains(0))
      for (Index i = 0; i < rows.size(); ++i)
        for (Index k = 0; k < LabelledGraph::q; ++k)
          outputs[k] +=
              theta[(rows.begin + i) * model.layout.row_length() + model.layout.readout_offset() + k] *
              model.objective.states()[i];
    MPI_Allreduce(MPI_IN_PLACE, outputs.data(), LabelledGraph::q, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    const CounterRandom random(9, Stream::synthetic_noise);
    double expected = 0.0;
    for (Index k = 0; k < LabelledGraph::q; ++k) expected += std::pow(outputs[k] - random.normal(0, k), 2);
    EXPECT_NEAR(loss, expected, 1e-10);
  }
}

TEST(UnrolledGraphObjective, ItsGradientHasATaylorRemainderOfSecondOrder) {
  std::vector<LabelledGraph::Case> cases(2);
  cases[1].shape = {.activation = Activation::identity, .gamma = 0.9};
  for (const int f : feature_rank_choices())
    for (const auto& c : cases)
      for (const Index depth : {Index{1}, Index{3}}) {
        LabelledGraph model(f, c);
        UnrolledGraphObjective unrolled(model.layout, model.map, model.matrix, model.features(),
                                        model.problem, depth);
        EXPECT_NEAR(taylor_order(unrolled, model.layout, model.theta.get(), 2e-4), 2.0, 0.1) << depth;
      }
}

TEST(GraphObjective, TheGradientThroughNormalisedStatesHasATaylorRemainderOfSecondOrder) {
  for (const int f : feature_rank_choices()) {
    LabelledGraph model(f, {});
    GraphObjective objective(model.layout, model.map, model.matrix, model.features(), model.problem,
                             {.normalise = true});
    EXPECT_NEAR(taylor_order(objective, model.layout, model.theta.get(), 2e-4), 2.0, 0.1);
  }
}

/// An objective of every kind with this dropout, for every case of `normalise`.
std::vector<std::unique_ptr<Objective>> with_dropout(LabelledGraph& model, double features, double states) {
  const Dropout dropout = model.dropout(features, states);
  std::vector<std::unique_ptr<Objective>> objectives;
  for (const bool normalise : {false, true}) {
    objectives.push_back(std::make_unique<GraphObjective>(
        model.layout, model.map, model.matrix, model.features(), model.problem,
        GraphObjective::Settings{.rtol = 1e-13, .normalise = normalise, .dropout = dropout}));
    objectives.push_back(std::make_unique<UnrolledGraphObjective>(
        model.layout, model.map, model.matrix, model.features(), model.problem, 3, normalise, dropout));
  }
  return objectives;
}

TEST(Dropout, ItsGradientHasATaylorRemainderOfSecondOrder) {
  for (const int f : feature_rank_choices())
    for (const auto& [features, states] : {std::pair(0.4, 0.0), std::pair(0.0, 0.3), std::pair(0.5, 0.5)}) {
      LabelledGraph model(f, {});
      for (const auto& objective : with_dropout(model, features, states))
        EXPECT_NEAR(taylor_order(*objective, model.layout, model.theta.get(), 2e-4, {.step = 7}), 2.0, 0.1)
            << f << " feature ranks, " << features << " " << states;
    }
}

TEST(Dropout, ItsLossAndGradientDoNotDependOnTheGridOfRanks) {
  std::vector<testing_support::Gradient> first;
  for (const int f : feature_rank_choices()) {
    LabelledGraph model(f, {});
    std::vector<testing_support::Gradient> found;
    for (const auto& objective : with_dropout(model, 0.5, 0.5))
      found.push_back(gradient_of(*objective, model.theta.get(), {.step = 3}));
    if (first.empty()) first = found;
    for (std::size_t k = 0; k < found.size(); ++k) {
      EXPECT_NEAR(found[k].loss, first[k].loss, 1e-11);
      EXPECT_LT(relative_distance(found[k].entries, first[k].entries), 1e-10);
    }
  }
}

TEST(Dropout, EveryStepHasItsOwnLossAndScoresHaveNone) {
  // On more than two ranks, PETSc's own multigrid adds numbers in the order in which messages arrive.
  const GivenOptions given(OptionList{{"eq_scalar_pc_type", "jacobi"}, {"adj_scalar_pc_type", "jacobi"}});
  LabelledGraph model(1, {});
  const auto objectives = with_dropout(model, 0.4, 0.4), plain = with_dropout(model, 0.0, 0.0);
  for (std::size_t k = 0; k < objectives.size(); ++k) {
    Objective& objective = *objectives[k];
    const auto third = gradient_of(objective, model.theta.get(), {.step = 3});
    EXPECT_GT(std::abs(gradient_of(objective, model.theta.get(), {.step = 4}).loss - third.loss), 1e-4);
    const double score = objective.score(model.theta.get(), model.problem.train).loss;
    const auto without = gradient_of(*plain[k], model.theta.get());
    EXPECT_NEAR(score, without.loss, 1e-11);
    EXPECT_GT(std::abs(score - third.loss), 1e-4);
    EXPECT_LT(relative_distance(gradient_of(objective, model.theta.get()).entries, without.entries), 1e-10);
    const auto again = gradient_of(objective, model.theta.get(), {.step = 3});
    EXPECT_EQ(again.loss, third.loss);
    EXPECT_EQ(again.entries, third.entries);
  }
}

TEST(Dropout, AMaskDropsItsShareAndKeepsTheMean) {
  const DropoutMask mask(0.3, 5, Stream::dropped_features);
  const Index rows = 50, columns = 400;
  double kept = 0.0, agreeing = 0.0;
  for (Index node = 0; node < columns; ++node) {
    std::vector<double> column(rows, 1.0), other = column, part(20, 1.0);
    mask.apply(1, node, {0, rows}, column.data());
    mask.apply(2, node, {0, rows}, other.data());
    mask.apply(1, node, {10, 30}, part.data());
    for (Index i = 0; i < rows; ++i) {
      EXPECT_TRUE(column[i] == 0.0 || column[i] == 1.0 / 0.7);
      kept += column[i] != 0.0 ? 1.0 : 0.0;
      agreeing += column[i] == other[i] ? 1.0 : 0.0;
    }
    EXPECT_TRUE(std::equal(part.begin(), part.end(), column.begin() + 10));
  }
  EXPECT_NEAR(kept / (rows * columns), 0.7, 0.015);
  EXPECT_NEAR(agreeing / (rows * columns), 0.7 * 0.7 + 0.3 * 0.3, 0.015);
  EXPECT_FALSE(DropoutMask().active());
}

TEST(UnrolledGraphObjective, ManyLayersHaveTheLossAndTheGradientOfTheEquilibrium) {
  LabelledGraph model(1, {});
  UnrolledGraphObjective unrolled(model.layout, model.map, model.matrix, model.features(), model.problem,
                                  400);
  const auto layers = gradient_of(unrolled, model.theta.get());
  const auto exact = gradient_of(model.objective, model.theta.get());
  EXPECT_NEAR(layers.loss, exact.loss, 1e-10);
  EXPECT_LT(relative_distance(layers.entries, exact.entries), 1e-9);
}

TEST(GraphObjective, MinibatchesOfTheLabelsAddUpToTheWhole) {
  LabelledGraph model(1, {});
  const auto whole = gradient_of(model.objective, model.theta.get());
  std::vector<double> sum(whole.entries.size(), 0.0);
  double loss = 0.0;
  for (const Index begin : {Index{0}, Index{2}, Index{4}}) {
    Batch batch{.all = false, .total = 2, .local = {}};
    for (Index k = 0; k < model.problem.train.count; ++k) {
      const Index node = model.matrix.own().begin + model.problem.train.nodes[k];
      if (begin <= node && node < begin + 2) batch.local.push_back(k);
    }
    const auto part = gradient_of(model.objective, model.theta.get(), batch);
    loss += part.loss / 3.0;
    for (std::size_t e = 0; e < sum.size(); ++e) sum[e] += part.entries[e] / 3.0;
  }
  EXPECT_NEAR(loss, whole.loss, 1e-12);
  EXPECT_LT(relative_distance(sum, whole.entries), 1e-10);
}

TEST(GraphObjective, TestNodesAreScoredByTheSameEquilibriumWithoutAnotherSolve) {
  LabelledGraph model(1, {});
  (void)model.objective.score(model.theta.get(), model.problem.train);
  const Index products = model.matrix.products();
  const double loss = model.objective.score(model.theta.get(), model.problem.test).loss;
  EXPECT_EQ(model.matrix.products(), products);
  EXPECT_GT(loss, 0.0);
  check(VecScale(model.theta.get(), 1.5));
  EXPECT_NE(model.objective.score(model.theta.get(), model.problem.test).loss, loss);
  EXPECT_GT(model.matrix.products(), products);
}

TEST(GraphObjective, WarmStartsNeedFewerProductsForTheSameGradient) {
  LabelledGraph::Case warm;
  warm.warm_start = true;
  LabelledGraph model(1, {}), other(1, warm);
  Index products[2] = {0, 0};
  for (int step = 0; step < 3; ++step) {
    const Index before[2] = {model.matrix.products(), other.matrix.products()};
    const auto cold = gradient_of(model.objective, model.theta.get());
    const auto from_before = gradient_of(other.objective, other.theta.get());
    EXPECT_LT(relative_distance(from_before.entries, cold.entries), 1e-9);
    products[0] = model.matrix.products() - before[0];
    products[1] = other.matrix.products() - before[1];
    for (LabelledGraph* one : {&model, &other}) check(VecScale(one->theta.get(), 1.0 + 1e-6));
  }
  EXPECT_LT(products[1], products[0]);
  other.objective.forget();
  const Index before = other.matrix.products();
  (void)gradient_of(other.objective, other.theta.get());
  EXPECT_GE(other.matrix.products() - before, products[0]);
}

TEST(GraphObjective, PredictionsOfNodesHaveTheLossOfTheirScore) {
  LabelledGraph model(1, {});
  const SampleSet& nodes = model.problem.train;
  const Score score = model.objective.score(model.theta.get(), nodes);
  Prediction prediction;
  model.objective.predict(nodes.count, nullptr, prediction);
  LossSum sum = model.problem.loss->evaluate(model.problem.outputs, nodes.count, prediction.outputs.data(),
                                             nodes.targets.data(), nullptr);
  sum = sum_over_samples(model.layout.grid(), sum);
  EXPECT_NEAR(model.problem.scale(nodes.total) * sum.loss, score.loss, 1e-12 * score.loss);
  const std::vector<double> residuals = model.objective.residuals();
  EXPECT_EQ(static_cast<Index>(residuals.size()), model.matrix.local_nodes());
  for (const double residual : residuals) EXPECT_LE(residual, 2.0 * model.objective.rtol());
}

TEST(GraphObjective, AFailedEquilibriumIsAnErrorThatNamesTheNode) {
  const GivenOptions given(OptionList{{"eq_snes_max_it", "1"}, {"eq_ksp_max_it", "1"}});
  LabelledGraph model(1, {});
  try {
    (void)model.objective.score(model.theta.get(), model.problem.train);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("at worst at node "), std::string::npos) << error.what();
  }
  // A solve that failed is not taken for a solution the next time.
  EXPECT_THROW((void)model.objective.score(model.theta.get(), model.problem.train), Error);
}

}  // namespace
}  // namespace poise
