#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "poise/base/random.hpp"
#include "poise/model/equilibrium_map.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/solve/adjoint_solver.hpp"
#include "poise/solve/outcome.hpp"

namespace poise {

using Block = std::vector<double>;

/// If a pre-activation is this near the kink of a piecewise linear activation, a difference quotient does not
/// equal the derivative.
inline constexpr double kink_width = 1e-2;

/// A model on one grid with random parameters, including biases.
template <class Model>
struct ModelOnGrid {
  ModelOnGrid(int feature_ranks, Index m)
      : grid(MPI_COMM_WORLD, feature_ranks),
        layout(grid, m, 2, Model::blocks(m)),
        features(block_range(Model::features(m), feature_ranks, grid.feature_index())),
        map(Model::make(layout)),
        theta(random_parameters(1)) {
    map.set_parameters(theta.get());
  }

  /// Parameters of the size of the model's start, biases of size 0.3, no readout.
  [[nodiscard]] VecHandle random_parameters(std::uint64_t seed) const {
    VecHandle vec = layout.create();
    layout.initialise(vec.get(), seed, Model::scale, 0.0);
    const CounterRandom random(seed, Stream::probe);
    WriteArray values(vec.get());
    for (const ParameterBlock& block : layout.blocks())
      for (Index i = 0; i < (block.scale == 0.0 ? layout.slice().size() : 0); ++i)
        for (Index j = 0; j < block.columns; ++j)
          values[i * layout.row_length() + block.offset + j] =
              0.3 * random.normal(layout.slice().begin + i, j);
    return vec;
  }
  static Block random_block(const Range& rows, Index p, std::uint64_t seed) {
    const CounterRandom random(seed, Stream::test_direction);
    Block x;
    for (Index c = 0; c < p; ++c)
      for (Index i = rows.begin; i < rows.end; ++i) x.push_back(random.normal(i, c));
    return x;
  }
  [[nodiscard]] Block random_states(Index p, std::uint64_t seed) const {
    return random_block(layout.block(), p, seed);
  }
  [[nodiscard]] Block random_features(Index p, std::uint64_t seed) const {
    return random_block(features, p, seed);
  }
  [[nodiscard]] Block inject(Index p, const Block& x) const {
    Block u(static_cast<std::size_t>(rows() * p));
    map.inject(p, x.data(), u.data());
    return u;
  }
  [[nodiscard]] Block apply(Index p, const Block& z, const Block& u) const {
    Block h(z.size());
    map.apply(p, z.data(), u.data(), h.data());
    return h;
  }
  [[nodiscard]] Block slopes(Index p, const Block& z, const Block& u) const {
    Block s(static_cast<std::size_t>(map.slope_rows() * p));
    map.linearise(p, z.data(), apply(p, z, u).data(), s.data());
    return s;
  }
  /// 0 where a piecewise linear activation is within kink_width of its kink at z, else 1.
  [[nodiscard]] Block away_from_kinks(Index p, const Block& z, const Block& u) const {
    Block away(z.size(), 1.0);
    const auto form = map.pointwise_form();
    if (!form || (form->activation != Activation::relu && form->activation != Activation::leaky_relu))
      return away;
    Block x(z.size());
    form->weights.multiply(p, z.data(), x.data());
    for (std::size_t i = 0; i < x.size(); ++i) away[i] = std::abs(x[i] + u[i]) < kink_width ? 0.0 : 1.0;
    return away;
  }
  [[nodiscard]] double sum_over_rows(double value) const {
    MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_SUM, grid.feature());
    return value;
  }
  [[nodiscard]] double dot(const Block& a, const Block& b) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum_over_rows(sum);
  }
  [[nodiscard]] double distance(const std::string& norm, const Block& a, const Block& b) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i)
      sum += norm == "1" ? std::abs(a[i] - b[i]) : (a[i] - b[i]) * (a[i] - b[i]);
    return norm == "1" ? sum_over_rows(sum) : std::sqrt(sum_over_rows(sum));
  }
  [[nodiscard]] Block norms(Index p, const Block& x) const {
    Block norms(static_cast<std::size_t>(p));
    column_norms(grid.feature(), rows(), p, x.data(), norms.data());
    return norms;
  }
  [[nodiscard]] Index rows() const { return layout.block().size(); }

  ProcessGrid grid;
  ParameterLayout layout;
  Range features;
  typename Model::Map map;
  VecHandle theta;
};

}  // namespace poise
