#pragma once

#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/equilibrium_map.hpp"
#include "poise/model/parameter_layout.hpp"

namespace poise {

/// The paper's deep equilibrium linear model, theory.md 2.1: h(z) = γ σ(A) z + φ(x). Well posed for every A.
class SoftmaxLinear final : public EquilibriumMap {
 public:
  /// `layout` must outlive the map; 0 < gamma < 1 (option -gamma).
  SoftmaxLinear(const ParameterLayout& layout, double gamma);

  [[nodiscard]] Index local_states() const override { return layout_.block().size(); }
  [[nodiscard]] bool linear() const override { return true; }
  void set_parameters(Vec theta) override;
  void apply(Index p, const double* z, const double* injection, double* h) const override;
  void jacobian(Index p, const double* z, const double* v, double* out) const override;
  void jacobian_transpose(Index p, const double* z, const double* v, double* out) const override;
  void clear_gradient() override;
  void add_gradient(Index p, const double* z, const double* lambda) override;
  void write_gradient(Vec gradient) override;
  [[nodiscard]] Index columns_multiplied() const override { return weights_.columns_multiplied(); }

 private:
  const ParameterLayout& layout_;
  double gamma_;
  std::vector<double> softmax_slice_;  // the rows of S that this rank owns
  RowBlockMatrix weights_;             // γS over grid.feature: scaled once, not in every product
  RowBlockMatrix gradient_;            // Σ λ zᵀ over grid.feature
};

}  // namespace poise
