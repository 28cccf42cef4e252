#include <gtest/gtest.h>

#include "explicit_networks.hpp"
#include "poise/base/error.hpp"

namespace poise {
namespace {

using namespace testing_support;

/// f = B(W x + b) and its gradient for the squared loss, written out; stored rows [W | b | Bᵀ] of θ.
Gradient two_layer_linear(const std::vector<double>& theta, const SampleSet& samples, Index m, Index d,
                          Index q) {
  const Index length = d + 1 + q;
  const auto at = [&](Index i, Index j) { return theta[static_cast<std::size_t>(i * length + j)]; };
  Gradient result{0.0, std::vector<double>(theta.size())};
  const double scale = 1.0 / static_cast<double>(samples.total);
  for (Index s = 0; s < samples.count; ++s) {
    const double* x = samples.features.data() + s * d;
    const double* y = samples.targets.data() + s * q;
    std::vector<double> hidden(static_cast<std::size_t>(m));
    for (Index i = 0; i < m; ++i) {
      hidden[i] = at(i, d);
      for (Index j = 0; j < d; ++j) hidden[i] += at(i, j) * x[j];
    }
    for (Index c = 0; c < q; ++c) {
      double residual = -y[c];
      for (Index i = 0; i < m; ++i) residual += at(i, d + 1 + c) * hidden[i];
      result.loss += scale * residual * residual;
      for (Index i = 0; i < m; ++i) {
        double* row = result.entries.data() + i * length;
        const double back = 2.0 * scale * residual * at(i, d + 1 + c);
        for (Index j = 0; j < d; ++j) row[j] += back * x[j];
        row[d] += back;
        row[d + 1 + c] += 2.0 * scale * residual * hidden[i];
      }
    }
  }
  return result;
}

TEST(FeedforwardTest, OneIdentityLayerIsATwoLayerLinearNetwork) {
  constexpr Index m = 7, d = 4, q = 3, n = 20;
  const Feedforward shape{1, Activation::identity, d};
  const ProcessGrid self(MPI_COMM_SELF);
  const ParameterLayout serial(self, m, q, FeedforwardObjective::blocks(shape, m));
  const SampleSet samples = random_problem(serial, squared_loss(), n, 0, d).train;
  for (const int feature_ranks : feature_rank_choices()) {
    const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
    const ParameterLayout layout(grid, m, q, FeedforwardObjective::blocks(shape, m));
    const Problem problem = random_problem(layout, squared_loss(), n, 0, d);
    FeedforwardObjective objective(layout, problem, 6, shape);
    const VecHandle theta = layout.create();
    randomise(layout, theta.get(), 5, 1.0);
    const Gradient expected = two_layer_linear(all_entries(theta.get()), samples, m, d, q);
    const Gradient now = gradient_of(objective, theta.get());
    EXPECT_NEAR(now.loss, expected.loss, 1e-13 * expected.loss);
    EXPECT_LE(relative_distance(now.entries, expected.entries), 1e-13);
  }
}

TEST(FeedforwardTest, BlocksAreTheLayersInOrderWithTheirInitialScales) {
  const auto relu = FeedforwardObjective::blocks({3, Activation::leaky_relu, 50}, 8);
  ASSERT_EQ(relu.size(), 6u);
  const char* names[] = {"W1", "b1", "W2", "b2", "W3", "b3"};
  const Index columns[] = {50, 1, 8, 1, 8, 1};
  const double scales[] = {0.2, 0.0, 0.5, 0.0, 0.5, 0.0};
  for (std::size_t k = 0; k < 6; ++k) {
    EXPECT_EQ(relu[k].name, names[k]);
    EXPECT_EQ(relu[k].columns, columns[k]);
    EXPECT_DOUBLE_EQ(relu[k].scale, scales[k]);
  }
  EXPECT_DOUBLE_EQ(FeedforwardObjective::blocks({1, Activation::tanh, 25}, 8)[0].scale, 0.2);
}

TEST(FeedforwardTest, InitialScalesKeepTheSizeOfTheStatesThroughManyLayers) {
  // He: a relu layer keeps the mean square on average. If 20 layers halved or doubled it, the factor would be
  // 2^20; the logarithm of a random draw at this width has deviation √(5 · 20/m) = 0.7.
  constexpr Index m = 200, n = 8;
  const Feedforward shape{20, Activation::relu, m};
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, m, 3, FeedforwardObjective::blocks(shape, m));
  Problem problem = random_problem(layout, squared_loss(), n);
  std::fill(problem.train.targets.begin(), problem.train.targets.end(), 0.0);
  FeedforwardObjective objective(layout, problem, 8, shape);
  const VecHandle theta = layout.create();
  layout.initialise(theta.get(), 4, 1.0, 1.0);
  const double loss = gradient_of(objective, theta.get()).loss;  // E‖f‖² = 3 ‖x‖²/m = 3
  EXPECT_GT(loss, 3.0 / 16.0);
  EXPECT_LT(loss, 3.0 * 16.0);
}

TEST(FeedforwardTest, DepthZeroIsRefused) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, 4, 3, std::vector<ParameterBlock>{});
  const Problem problem = random_problem(layout, squared_loss(), 5);
  const Feedforward shape{0, Activation::relu, 4};
  EXPECT_THROW((void)FeedforwardObjective::blocks(shape, 4), Error);
  try {
    FeedforwardObjective objective(layout, problem, 4, shape);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_EQ(std::string(error.what()).rfind("option -depth 0: ", 0), 0u);
  }
}

TEST(FeedforwardTest, LayoutWithoutItsBlocksIsRefused) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const ParameterLayout layout(grid, 4, 3);
  const Problem problem = random_problem(layout, squared_loss(), 5);
  EXPECT_THROW(FeedforwardObjective(layout, problem, 4, {1, Activation::relu, 4}), Error);
}

}  // namespace
}  // namespace poise
