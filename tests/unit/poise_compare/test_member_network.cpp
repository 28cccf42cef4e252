#include <gtest/gtest.h>

#include <cmath>

#include "poise_compare/weight.hpp"
#include "poise_compare/member.hpp"
#include "support/problems.hpp"

namespace poise::compare {
namespace {

using namespace testing_support;

constexpr Index m = 7, q = 3, n = 9;
constexpr double rounding = 1e-13;  // also the tolerance of the collapsed solves

CompareSettings settings() {
  CompareSettings s;
  s.gamma = 0.6;
  s.depths = {1, 5};
  s.activations = {Activation::identity};
  return s;
}

class NetworkTest : public ::testing::Test {
 protected:
  NetworkTest()
      : grid(MPI_COMM_WORLD),
        layout(grid, m, q, {}),
        problem(random_problem(layout, squared_loss(), n, 4)),
        input{grid, problem, m, 5} {}

  /// W and loss at the start.
  struct Start {
    std::vector<double> weight;
    double loss = 0.0;
  };
  Start start(const ModelSpec& spec, const CompareSettings& s) {
    MemberNetwork network(input, s, spec);
    const VecHandle theta = network.layout().create();
    const VecHandle gradient = duplicate(theta.get());
    network.initialise(theta.get());
    const double loss = network.objective().value_and_gradient(theta.get(), gradient.get()).train.loss;
    return {network.weight(theta.get()), loss};
  }

  ProcessGrid grid;
  ParameterLayout layout;
  Problem problem;
  MemberInput input;
};

const ModelSpec implicit{.kind = ModelSpec::Kind::implicit};
const ModelSpec shallow{.kind = ModelSpec::Kind::shallow};

ModelSpec unrolled(Index depth) {
  return {.kind = ModelSpec::Kind::unrolled, .depth = depth};
}
ModelSpec feedforward(Index depth, Activation activation) {
  return {.kind = ModelSpec::Kind::feedforward, .depth = depth, .activation = activation};
}

TEST_F(NetworkTest, TheLossOfEveryLinearModelIsThatOfItsW) {
  CompareSettings random = settings();
  random.matched = false;
  for (const ModelSpec& spec : {implicit, unrolled(1), unrolled(4), shallow,
                                feedforward(1, Activation::identity), feedforward(3, Activation::identity)}) {
    const Start at = start(spec, random);
    ASSERT_EQ(at.weight.size(), static_cast<std::size_t>(m * q)) << spec.name();
    const double loss = score_linear(grid, problem, problem.train, at.weight).loss;
    EXPECT_NEAR(at.loss, loss, 10.0 * rounding * loss) << spec.name();
  }
}

TEST_F(NetworkTest, ANetworkThatIsNotLinearHasNoW) {
  EXPECT_TRUE(start(feedforward(2, Activation::tanh), settings()).weight.empty());
}

TEST_F(NetworkTest, ShallowAndMatchedDeepLinearNetworksStartAtTheWOfTheImplicitModel) {
  const std::vector<double> w = start(implicit, settings()).weight;
  EXPECT_EQ(start(shallow, settings()).weight, w);
  for (const Index depth : {1, 3})
    EXPECT_LE(relative_distance(start(feedforward(depth, Activation::identity), settings()).weight, w),
              rounding);
}

TEST_F(NetworkTest, TruncationsStartWithinGammaToTheDepthOfTheImplicitWInTheInducedNorm) {
  const CompareSettings s = settings();
  const std::vector<double> w = start(implicit, s).weight;
  double last = 1.0;
  for (const Index depth : {1, 2, 4, 8, 16}) {
    const double distance = relative_distance_1(q, start(unrolled(depth), s).weight, w);
    EXPECT_LE(distance, std::pow(s.gamma, static_cast<double>(depth)) + rounding);
    EXPECT_LT(distance, last);
    last = distance;
  }
  EXPECT_LE(relative_distance(start(unrolled(80), s).weight, w), rounding);  // 0.6^80 = 2e-18
}

TEST_F(NetworkTest, AMemberComesBackFromItsNumbers) {
  MemberRecord record;
  record.parameters = 1.0, record.gradients = 2.0, record.steps = 3.0, record.seconds = 4.0,
  record.working_bytes = 5.0;
  record.train_loss = {6.0, 7.0}, record.test_loss = {8.0, 9.0};
  record.train_accuracy = {0.1, 0.2}, record.test_accuracy = {0.3, 0.4};
  record.weights = {{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}};
  const MemberRecord back = MemberRecord::unpacked(record.packed(), 2, 3);
  EXPECT_EQ(back.packed(), record.packed());
  EXPECT_EQ(back.working_bytes, 5.0);
  EXPECT_EQ(back.test_accuracy, record.test_accuracy);
  EXPECT_EQ(back.weights, record.weights);
  EXPECT_THROW((void)MemberRecord::unpacked(record.packed(), 3, 3), Error);
}

}  // namespace
}  // namespace poise::compare
