#include <gtest/gtest.h>

#include <cmath>

#include "poise/base/random.hpp"
#include "poise/model/pointwise.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

using testing_support::all_entries;
using testing_support::feature_rank_choices;

double feature_entry(Index i, Index c) {
  return CounterRandom(2, Stream::test_direction)
      .normal(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(c));
}
double state_entry(Index i, Index c) {
  return CounterRandom(3, Stream::test_direction)
      .normal(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(c));
}

template <class Entry>
std::vector<double> block(const Range& rows, Index p, Entry entry) {
  std::vector<double> x;
  for (Index c = 0; c < p; ++c)
    for (Index i = rows.begin; i < rows.end; ++i) x.push_back(entry(i, c));
  return x;
}

TEST(PointwiseModel, IsTheActivationOfWeightsTimesStatePlusInjection) {
  // THEORY.md 2.2, h(z) = tanh(γAz + Vx̂ + b), from θ as it is stored; on every grid.
  const Index p = 3;
  for (const int feature_ranks : feature_rank_choices()) {
    for (const Index m : {1, 2, 3, 14}) {
      const Index d = m + 3;
      const Pointwise::Shape shape{.activation = Activation::tanh,
                                   .weights = WeightKind::free,
                                   .gamma = 0.7,
                                   .input_weights = true,
                                   .bias = true,
                                   .features = d};
      const ProcessGrid grid(MPI_COMM_WORLD, feature_ranks);
      const ParameterLayout layout(grid, m, 2, Pointwise::blocks(shape, m));
      Pointwise map(layout, shape);
      const VecHandle theta = layout.create();
      const CounterRandom random(1, Stream::probe);
      {
        WriteArray values(theta.get());
        for (Index i = 0; i < layout.slice().size(); ++i)
          for (Index j = 0; j < layout.row_length(); ++j)
            values[static_cast<std::size_t>(i * layout.row_length() + j)] =
                0.5 * random.normal(static_cast<std::uint64_t>(layout.slice().begin + i),
                                    static_cast<std::uint64_t>(j));
      }
      map.set_parameters(theta.get());

      const Range features = block_range(d, feature_ranks, grid.feature_index());
      ASSERT_EQ(map.local_features(), features.size());
      const std::vector<double> z = block(layout.block(), p, state_entry);
      std::vector<double> u(z.size()), h(z.size());
      map.inject(p, block(features, p, feature_entry).data(), u.data());
      map.apply(p, z.data(), u.data(), h.data());

      const std::vector<double> all = all_entries(theta.get());
      const auto expected = [&](Index i, Index c) {
        const double* row = all.data() + i * layout.row_length();
        double sum = row[layout.block_of("b").offset];
        for (Index j = 0; j < m; ++j) sum += shape.gamma * row[j] * state_entry(j, c);
        for (Index j = 0; j < d; ++j) sum += row[layout.block_of("V").offset + j] * feature_entry(j, c);
        return std::tanh(sum);
      };
      const std::vector<double> reference = block(layout.block(), p, expected);
      for (std::size_t e = 0; e < h.size(); ++e) EXPECT_NEAR(h[e], reference[e], 1e-13);
    }
  }
}

TEST(PointwiseModel, WithoutInputWeightsAndBiasTheInjectionIsTheFeatures) {
  const ProcessGrid grid(MPI_COMM_WORLD);
  const Pointwise::Shape shape{.activation = Activation::relu, .weights = WeightKind::softmax, .gamma = 0.5};
  const ParameterLayout layout(grid, 5, 1, Pointwise::blocks(shape, 5));
  Pointwise map(layout, shape);
  const VecHandle theta = layout.create();
  layout.initialise(theta.get(), 1, 1.0, 1.0);
  map.set_parameters(theta.get());
  const std::vector<double> x = block(layout.block(), 2, feature_entry);
  std::vector<double> u(x.size());
  map.inject(2, x.data(), u.data());
  EXPECT_EQ(u, x);
  EXPECT_EQ(map.local_features(), map.local_states());
}

TEST(PointwiseModel, BlocksAreThoseOfTheWeightsThenInputWeightsThenBias) {
  const auto blocks = Pointwise::blocks(
      {.weights = WeightKind::monotone, .input_weights = true, .bias = true, .features = 9}, 4);
  ASSERT_EQ(blocks.size(), 4u);
  EXPECT_EQ(blocks[0].name, "P");
  EXPECT_EQ(blocks[1].name, "Q");
  EXPECT_EQ(blocks[2].name, "V");
  EXPECT_EQ(blocks[2].columns, 9);
  EXPECT_EQ(blocks[2].scale, 1.0 / 3.0);
  EXPECT_EQ(blocks[3].name, "b");
  EXPECT_EQ(blocks[3].columns, 1);
  EXPECT_EQ(blocks[3].scale, 0.0);
}

}  // namespace
}  // namespace poise
