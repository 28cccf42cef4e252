#pragma once

#include <petscksp.h>

#include <memory>
#include <vector>

#include "poise/model/equilibrium_map.hpp"
#include "poise/solve/mean_field.hpp"

namespace poise {

/// The linearised equation of a panel, I − ∂h/∂z or its transpose, acting on every column with slopes of its
/// own. Attached to the Mat of a KSP it tells the solver types of this folder (KSP meanfield and neumann, PC
/// meanfield, samplelu and perron) what is behind the Mat.
class PanelOperator {
 public:
  /// `map` must outlive it; `mean` may be null; at most `columns` columns. `transposed`: (I − ∂h/∂z)ᵀ.
  PanelOperator(MPI_Comm comm, const EquilibriumMap& map, std::shared_ptr<MeanField> mean, Index columns,
                bool transposed);
  PanelOperator(const PanelOperator&) = delete;  // Mats hold pointers to it
  PanelOperator& operator=(const PanelOperator&) = delete;

  /// Not collective. The next products are for p columns with these slopes (slope_rows x p), which must
  /// outlive them.
  void linearise(Index p, const double* slopes) {
    p_ = p;
    slopes_ = slopes;
  }
  /// Collective. out = Op v, or its transpose, on the p columns.
  void apply(const double* v, double* out) { multiply(transposed_, v, out); }
  void apply_transpose(const double* v, double* out) { multiply(!transposed_, v, out); }

  /// Collective. Valid for the weights: where they have changed since, D̄ is the mean of the slopes at hand.
  MeanField& mean_field();

  [[nodiscard]] MPI_Comm comm() const { return comm_; }
  [[nodiscard]] const EquilibriumMap& map() const { return map_; }
  [[nodiscard]] MeanField* mean() const { return mean_.get(); }
  [[nodiscard]] Index columns() const { return columns_; }
  [[nodiscard]] Index p() const { return p_; }
  [[nodiscard]] bool transposed() const { return transposed_; }
  /// Null for a linear map, whose slopes are 1.
  [[nodiscard]] const double* slopes() const { return map_.slope_rows() == 0 ? nullptr : slopes_; }
  /// Products so far, a panel each; with those that solvers have taken past `apply`.
  [[nodiscard]] Index products() const { return products_; }
  void count_products(Index count) { products_ += count; }
  /// Collective. Op x − rhs (Op or its transpose in the sense of the map) for a monitor, which no count
  /// contains.
  void show_residual(bool transposed, const double* rhs, const double* x, double* residual);

  /// Collective on the Mat's communicator. The operator must outlive the Mat.
  void attach_to(Mat mat);
  /// The operator behind the Mat that a KSP or PC preconditions with. Throws bad_input, on all ranks, that
  /// names the option where there is none; `what`: "-adj_ksp_type neumann".
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

}  // namespace poise
