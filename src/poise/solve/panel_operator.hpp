#pragma once

#include <petscksp.h>

#include <memory>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/solve/mean_field.hpp"

namespace poise {
inline namespace solve {

/// The operator of the linearised equation of a panel, I − ∂h/∂z or its transpose, where every column has its
/// own slopes. It is attached to the Mat of a KSP, where the solver types of this folder (KSP meanfield and
/// neumann, PC meanfield, samplelu and perron) find it.
class PanelOperator {
 public:
  /// `map` must outlive this object; `mean` may be null; at most `columns` columns. `transposed`: (I −
  /// ∂h/∂z)ᵀ.
  PanelOperator(MPI_Comm comm, const EquilibriumMap& map, std::shared_ptr<MeanField> mean, Index columns,
                bool transposed);
  PanelOperator(const PanelOperator&) = delete;  // Mats hold pointers to it
  PanelOperator& operator=(const PanelOperator&) = delete;

  /// Not collective. Sets the columns of the following products: p columns with these slopes (slope_rows x
  /// p). `slopes` must stay valid for these products.
  void linearise(Index p, const double* slopes) {
    p_ = p;
    slopes_ = slopes;
  }
  /// Collective. out = Op v, or with the transpose of Op, on the p columns.
  void apply(const double* v, double* out) { multiply(transposed_, v, out); }
  void apply_transpose(const double* v, double* out) { multiply(!transposed_, v, out); }

  /// Collective. The mean field of the present weights. If the weights have changed, it is computed again,
  /// and D̄ is the mean of the present slopes.
  MeanField& mean_field();

  [[nodiscard]] MPI_Comm comm() const { return comm_; }
  [[nodiscard]] const EquilibriumMap& map() const { return map_; }
  [[nodiscard]] MeanField* mean() const { return mean_.get(); }
  [[nodiscard]] Index columns() const { return columns_; }
  [[nodiscard]] Index p() const { return p_; }
  [[nodiscard]] bool transposed() const { return transposed_; }
  /// Null for a linear map, whose slopes are 1.
  [[nodiscard]] const double* slopes() const { return map_.slope_rows() == 0 ? nullptr : slopes_; }
  /// Number of products with a panel so far, including the products that solvers take without `apply` and
  /// count by count_products.
  [[nodiscard]] Index products() const { return products_; }
  void count_products(Index count) { products_ += count; }
  /// Collective. Computes Op x − rhs for a monitor, without counting the product. `transposed`: Op is (I −
  /// ∂h/∂z)ᵀ.
  void show_residual(bool transposed, const double* rhs, const double* x, double* residual);

  /// Collective on the Mat's communicator. The operator must outlive the Mat.
  void attach_to(Mat mat);
  /// The operator attached to the Mat of a KSP or PC. Throws bad_input on all ranks, which names the option
  /// `what` ("-adj_ksp_type neumann"), if there is none.
  static PanelOperator& of(Mat mat, const std::string& what);

 private:
  void multiply(bool transposed, const double* v, double* out);

  MPI_Comm comm_;
  const EquilibriumMap& map_;
  std::shared_ptr<MeanField> mean_;
  Index columns_, p_ = 0;
  bool transposed_;
  const double* slopes_ = nullptr;
  Index products_ = 0;
  std::vector<double> mean_slopes_;
};

}  // namespace solve
}  // namespace poise
