#include "poise/theory/tangent_gram.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "poise/base/error.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/theory/dynamics_matrix.hpp"
#include "unit/theory/dense_dynamics.hpp"
#include "unit/theory/tangent_networks.hpp"

namespace poise {
namespace {

using namespace testing_support;
using testing::Dense;

/// Relative accuracy of J: the solves' 1e-12 times the condition of I − ∂h/∂z, which is below 1e2 here.
constexpr double solved = 1e-10;
/// Step of the central differences, relative to the direction: their error is its square, and solved / step.
constexpr double difference_step = 1e-4;
constexpr double difference_error = 1e-6;

/// c ↦ (f ↦ Σ c_r f_r) at any θ: outputs by the whole problem at once.
class Outputs {
 public:
  explicit Outputs(const TangentNetwork& network)
      : network_(network),
        problem_{linear_loss(), false, network.problem.outputs, network.problem.train, {}},
        objective_(network.make(problem_, {})),
        gradient(network.layout.create()) {}
  /// Output a of sample i at θ; its derivative with respect to θ is left in `gradient`.
  double at(Vec theta, Index i, Index a) {
    std::fill(problem_.train.targets.begin(), problem_.train.targets.end(), 0.0);
    const Range own = network_.grid.samples(problem_.train.total);
    if (own.contains(i)) problem_.train.targets[(i - own.begin) * problem_.outputs + a] = 1.0;
    return objective_->value_and_gradient(theta, gradient.get()).train.loss;
  }

 private:
  const TangentNetwork& network_;
  Problem problem_;
  std::shared_ptr<Objective> objective_;

 public:
  VecHandle gradient;
};

TEST(TangentGram, MatrixEqualsDifferencesOfTheOutputs) {
  for (const int feature_ranks : feature_rank_choices()) {
    for (const Kind kind : all_kinds) {
      SCOPED_TRACE(to_string(kind) + " on " + std::to_string(feature_ranks) + " feature ranks");
      const TangentNetwork network(kind, MPI_COMM_WORLD, feature_ranks);
      TangentGram gram(network.layout, network.problem, network.factory());
      const TangentSpectrum spectrum = gram.measure(network.theta.get());
      Outputs outputs(network);
      const VecHandle direction = network.layout.create();
      const VecHandle moved = network.layout.create();
      const Index q = network.problem.outputs;
      for (Index column = 0; column < gram.size(); column += 3) {  // both outputs, of two samples
        const double value = outputs.at(network.theta.get(), column / q, column % q);
        EXPECT_NEAR(gram.outputs()[column], value, solved * std::abs(value));
        check(VecCopy(outputs.gradient.get(), direction.get()));
        double length = 0.0;
        check(VecNorm(direction.get(), NORM_2, &length));
        const double h = difference_step / length;
        for (Index row = 0; row < gram.size(); ++row) {  // J Jᵀe along Jᵀe
          double there[2];
          for (const int side : {0, 1}) {
            check(VecWAXPY(moved.get(), side == 0 ? h : -h, direction.get(), network.theta.get()));
            there[side] = outputs.at(moved.get(), row / q, row % q);
          }
          EXPECT_NEAR(gram.matrix()[column * gram.size() + row], (there[0] - there[1]) / (2.0 * h),
                      difference_error * spectrum.lambda_max);
        }
      }
    }
  }
}

TEST(TangentGram, RanksDoNotChangeIt) {
  for (const Kind kind : all_kinds) {
    TangentSizes sizes;
    sizes.m = 3;  // some ranks have no rows, and some no samples
    const TangentNetwork alone(kind, MPI_COMM_SELF, 1, sizes);
    TangentGram expected(alone.layout, alone.problem, alone.factory());
    const TangentSpectrum spectrum = expected.measure(alone.theta.get());
    for (const int feature_ranks : feature_rank_choices()) {
      SCOPED_TRACE(to_string(kind) + " on " + std::to_string(feature_ranks) + " feature ranks");
      const TangentNetwork network(kind, MPI_COMM_WORLD, feature_ranks, sizes);
      TangentGram gram(network.layout, network.problem, network.factory());
      const TangentSpectrum found = gram.measure(network.theta.get());
      EXPECT_LE(relative_distance(gram.matrix(), expected.matrix()), solved);
      EXPECT_LE(relative_distance(gram.outputs(), expected.outputs()), solved);
      ASSERT_EQ(found.eigenvalues.size(), spectrum.eigenvalues.size());
      for (std::size_t k = 0; k < found.eigenvalues.size(); ++k)
        EXPECT_NEAR(found.eigenvalues[k], spectrum.eigenvalues[k], solved * spectrum.lambda_max);
      EXPECT_NEAR(found.states_lambda_min, spectrum.states_lambda_min, solved * spectrum.lambda_max);
      EXPECT_EQ(found.rank, spectrum.rank);
    }
  }
}

/// Z as the outputs of a readout that selects the states, q at a time.
Dense states_of(const TangentNetwork& network) {
  const ParameterLayout& layout = network.layout;
  const Index q = layout.outputs();
  Outputs outputs(network);
  const VecHandle theta = network.layout.create();
  Dense z(layout.width(), network.problem.train.total);
  for (Index first = 0; first < layout.width(); first += q) {
    check(VecCopy(network.theta.get(), theta.get()));
    {
      WriteArray values(theta.get());
      for (Index i = 0; i < layout.slice().size(); ++i)
        for (Index a = 0; a < q; ++a)
          values[i * layout.row_length() + layout.readout_offset() + a] =
              layout.slice().begin + i == first + a ? 1.0 : 0.0;
    }
    for (Index i = 0; i < z.cols; ++i)
      for (Index a = 0; a < std::min(q, layout.width() - first); ++a)
        z(first + a, i) = outputs.at(theta.get(), i, a);
  }
  return z;
}

TEST(TangentGram, IsAtLeastTheGramMatrixOfTheStates) {
  for (const Kind kind : all_kinds) {
    SCOPED_TRACE(to_string(kind));
    const TangentNetwork network(kind, MPI_COMM_WORLD, 1);
    TangentGram gram(network.layout, network.problem, network.factory());
    const TangentSpectrum found = gram.measure(network.theta.get());
    const Dense z = states_of(network);
    Dense states(z.cols, z.cols);
    Dense difference(gram.size(), gram.size());
    difference.values = gram.matrix();
    const Index q = network.problem.outputs;
    for (Index i = 0; i < z.cols; ++i)
      for (Index j = 0; j < z.cols; ++j) {
        for (Index k = 0; k < z.rows; ++k) states(i, j) += z(k, i) * z(k, j);
        for (Index a = 0; a < q; ++a) difference(i * q + a, j * q + a) -= states(i, j);
      }
    const double rounding = solved * found.lambda_max;
    EXPECT_NEAR(found.states_lambda_min, testing::spectrum(states).front(), rounding);
    EXPECT_GE(testing::spectrum(difference).front(), -rounding);
    EXPECT_GE(found.lambda_min, found.states_lambda_min - found.error);
    // Only the shallow network has no further parameters.
    EXPECT_EQ(largest(difference.values) > 1e-3 * found.lambda_max, kind != Kind::shallow);
  }
}

// K and D are computed in different ways: by adjoints of equilibria, and by THEORY.md 4.2.
TEST(TangentGram, OfASoftmaxLinearModelIsTheDynamicsMatrixBetweenTheFeatures) {
  for (const int feature_ranks : feature_rank_choices()) {
    const TangentNetwork network(Kind::softmax_linear, MPI_COMM_WORLD, feature_ranks);
    const ParameterLayout& layout = network.layout;
    TangentGram gram(layout, network.problem, network.factory());
    const TangentSpectrum spectrum = gram.measure(network.theta.get());
    EXPECT_EQ(spectrum.rank, gram.size());  // n < m

    CollapsedModel model(layout, network.shape.gamma);
    (void)model.set_parameters(network.theta.get());
    DynamicsMatrix dynamics(model.softmax(), network.shape.gamma, layout.outputs());
    dynamics.update(model.w());
    const CounterRandom features(11, Stream::synthetic_inputs);  // the features of random_problem
    const Index rows = layout.slice().size();
    const Index q = layout.outputs();
    const Index n = network.problem.train.total;
    std::vector<double> v(static_cast<std::size_t>(rows * q));
    std::vector<double> expected(static_cast<std::size_t>(gram.size() * gram.size()));
    for (Index column = 0; column < gram.size(); ++column) {
      std::fill(v.begin(), v.end(), 0.0);
      for (Index k = 0; k < rows; ++k)
        v[column % q * rows + k] = features.normal(column / q, layout.slice().begin + k);
      dynamics.apply(
          v.data(), v.data(), [&](const double* x, double* y) { (void)model.solve(x, y); },
          [&](const double* x, double* y) { (void)model.solve_transpose(x, y); });
      for (Index i = 0; i < n; ++i)
        for (Index a = 0; a < q; ++a)
          for (Index k = 0; k < rows; ++k)
            expected[column * gram.size() + i * q + a] +=
                features.normal(i, layout.slice().begin + k) * v[a * rows + k];
    }
    MPI_Allreduce(MPI_IN_PLACE, expected.data(), static_cast<int>(expected.size()), MPI_DOUBLE, MPI_SUM,
                  MPI_COMM_WORLD);
    EXPECT_LE(relative_distance(gram.matrix(), expected), solved);
  }
}

TEST(TangentGram, DependsOnTheParametersAlone) {
  for (const Kind kind : {Kind::softmax_linear, Kind::tanh_spectral, Kind::relu_monotone}) {
    const TangentNetwork network(kind, MPI_COMM_WORLD, 1);
    TangentGram gram(network.layout, network.problem, network.factory());
    (void)gram.measure(network.theta.get());
    const std::vector<double> first = gram.matrix();
    const VecHandle other = network.layout.create();
    randomise(network.layout, other.get(), 2, 0.3);
    (void)gram.measure(other.get());
    EXPECT_GT(relative_distance(gram.matrix(), first), 1e-3);
    (void)gram.measure(network.theta.get());
    EXPECT_EQ(gram.matrix(), first) << to_string(kind);
  }
}

TEST(TangentGram, IsSingularWithMoreOutputsThanParameters) {
  TangentSizes sizes;
  sizes.m = 3;
  sizes.n = 40;  // nq = 80 rows, P = 3 · 2 columns
  const TangentNetwork network(Kind::shallow, MPI_COMM_WORLD, 1, sizes);
  TangentGram gram(network.layout, network.problem, network.factory());
  const TangentSpectrum found = gram.measure(network.theta.get());
  EXPECT_EQ(found.rank, 6);
  EXPECT_LE(found.lambda_min, found.error);
}

std::string refusal_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_TRUE(error.collective());
    return error.what();
  }
  return "";
}

TEST(TangentGram, RefusesWhatHasNoGramMatrixOrNoRoom) {
  const TangentNetwork network(Kind::tanh_free, MPI_COMM_WORLD, 1);
  const double needed = TangentGram::bytes(network.layout, network.problem.train.total);
  EXPECT_NE(refusal_of([&] {
              const TangentGram gram(network.layout, network.problem, network.factory(), 0.99 * needed);
            }).find("-train_samples"),
            std::string::npos);
  const TangentGram fits(network.layout, network.problem, network.factory(), needed);
  EXPECT_EQ(fits.size(), 6);
  const Problem none{squared_loss(), true, 2, {}, {}};
  EXPECT_NE(refusal_of([&] { const TangentGram gram(network.layout, none, network.factory()); }), "");
  const auto measured = [&](const EquilibriumSettings& settings) {
    return refusal_of([&] {
      TangentGram gram(network.layout, network.problem, network.factory(settings));
      (void)gram.measure(network.theta.get());
    });
  };
  EXPECT_NE(measured({.jacobian_weight = 0.5}).find("-jacobian_weight"), std::string::npos);
  EXPECT_NE(measured({.backward = {Backward::Kind::neumann, 1}}).find("-backward"), std::string::npos);
}

}  // namespace
}  // namespace poise
