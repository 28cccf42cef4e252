#pragma once

#include <cmath>
#include <vector>

#include "poise/base/random.hpp"
#include "poise/model/equilibrium_map.hpp"

namespace poise {

/// h(z) = W₂ tanh(W₁ z) + u with k hidden units: a contraction that does not have the form a(Wz + u); its
/// slopes do not have the shape of the states.
class TwoLayerMap final : public EquilibriumMap {
 public:
  TwoLayerMap(const ProcessGrid& grid, Index m, Index k)
      : inner_(grid.feature(), grid.feature_offsets(k), grid.feature_offsets(m)),
        outer_(grid.feature(), grid.feature_offsets(m), grid.feature_offsets(k)) {
    fill(inner_, m, k, 1);
    fill(outer_, m, k, 2);
  }
  [[nodiscard]] Index local_states() const override { return outer_.local_rows(); }
  [[nodiscard]] Index slope_rows() const override { return inner_.local_rows(); }
  [[nodiscard]] bool linear() const override { return false; }
  void set_parameters(Vec) override {}
  void apply(Index p, const double* z, const double* u, double* h) const override {
    hidden(p, z);
    for (double& y : hidden_) y = std::tanh(y);
    outer_.multiply(p, hidden_.data(), h);
    for (Index i = 0; i < local_states() * p; ++i) h[i] += u[i];
  }
  void linearise(Index p, const double* z, const double*, double* slopes) const override {
    hidden(p, z);
    for (std::size_t i = 0; i < hidden_.size(); ++i) slopes[i] = 1.0 - std::pow(std::tanh(hidden_[i]), 2);
  }
  void jacobian(Index p, const double* slopes, const double* v, double* out) const override {
    hidden(p, v);
    for (std::size_t i = 0; i < hidden_.size(); ++i) hidden_[i] *= slopes[i];
    outer_.multiply(p, hidden_.data(), out);
  }
  void jacobian_transpose(Index p, const double* slopes, const double* v, double* out) const override {
    hidden_.resize(static_cast<std::size_t>(slope_rows() * p));
    outer_.multiply_transpose(p, v, hidden_.data());
    for (std::size_t i = 0; i < hidden_.size(); ++i) hidden_[i] *= slopes[i];
    inner_.multiply_transpose(p, hidden_.data(), out);
  }
  void clear_gradient() override {}
  void add_gradient(Index, const double*, const double*, const double*, const double*) override {}
  void write_gradient(Vec) override {}
  [[nodiscard]] Index columns_multiplied() const override { return inner_.columns_multiplied(); }

 private:
  static void fill(RowBlockMatrix& matrix, Index m, Index k, std::uint64_t seed) {
    const CounterRandom random(seed, Stream::test_direction);
    const double scale = 0.8 / (std::sqrt(static_cast<double>(m)) + std::sqrt(static_cast<double>(k)));
    for (Index i = 0; i < matrix.local_rows(); ++i)
      for (Index j = 0; j < matrix.width(); ++j)
        matrix.rows()[i * matrix.width() + j] = scale * random.normal(matrix.row_begin() + i, j);
  }
  void hidden(Index p, const double* z) const {
    hidden_.resize(static_cast<std::size_t>(slope_rows() * p));
    inner_.multiply(p, z, hidden_.data());
  }

  RowBlockMatrix inner_, outer_;
  mutable std::vector<double> hidden_;
};

}  // namespace poise
