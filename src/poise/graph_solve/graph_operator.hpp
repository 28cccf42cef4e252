#pragma once

#include <petscmat.h>

#include <memory>
#include <string>

#include "poise/graph_solve/graph_equation.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/solve/mean_field.hpp"

namespace poise {
inline namespace graph_solve {

/// The PC types for the linearised equilibrium of a graph.
inline constexpr const char* pc_graph_perron = "graphperron";  ///< THEORY.md 8.7; softmax weights

/// Registers the PC types of this folder with PETSc; further calls do nothing. Not collective.
void register_graph_types();

/// The operator of the linearised equation of a graph, I − ∂H/∂Z or its transpose, as a PETSc Mat on the
/// world. The PC types of this folder find it behind the Mat.
class GraphOperator {
 public:
  /// Collective on the world. `equation` must outlive it; `perron` may be null: then there is no graphperron.
  GraphOperator(const GraphEquation& equation, std::shared_ptr<PerronVector> perron, bool transposed);
  GraphOperator(const GraphOperator&) = delete;  // the Mat holds a pointer to it
  GraphOperator& operator=(const GraphOperator&) = delete;

  /// Collective on the world. Sets the slopes of the following products, slope_rows x n_r, and tells PETSc
  /// that the operator has changed. `slopes` must stay valid for these products.
  void linearise(const double* slopes);
  /// Collective on the world. out = Op v, or with the transpose of Op.
  void apply(bool transposed, const double* v, double* out);

  [[nodiscard]] Mat mat() const { return mat_->get(); }
  [[nodiscard]] const GraphEquation& equation() const { return equation_; }
  [[nodiscard]] PerronVector* perron() const { return perron_.get(); }
  [[nodiscard]] bool transposed() const { return transposed_; }
  /// Null for a linear map, whose slopes are 1.
  [[nodiscard]] const double* slopes() const { return slopes_; }
  /// Number of products with a block so far.
  [[nodiscard]] Index products() const { return products_; }

  /// The operator behind the Mat of a PC. Throws bad_input, on all ranks, which names the option `what`
  /// ("-adj_pc_type graphperron"), if there is none.
  static GraphOperator& of(Mat mat, const std::string& what);

 private:
  const GraphEquation& equation_;
  std::shared_ptr<PerronVector> perron_;
  bool transposed_;
  const double* slopes_ = nullptr;
  std::unique_ptr<ShellOperator> mat_;
  Index products_ = 0;
};

}  // namespace graph_solve
}  // namespace poise
