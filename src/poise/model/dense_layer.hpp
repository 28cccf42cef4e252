#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/linalg/row_block_matrix.hpp"
#include "poise/model/parameter_layout.hpp"

namespace poise {
inline namespace model {

/// One dense layer y = W x + b and its gradient. W (m x d) and b (m x 1) are two blocks of the parameters.
/// Without W the layer has the identity (d = m); b may be missing, too. Blocks of p columns are column-major,
/// and hold the rows of this rank's feature block: d_f x p (x) and m_f x p (y).
class DenseLayer {
 public:
  /// Not collective. `layout` must outlive the layer. `weights`, `bias`: names of blocks of the layout; empty
  /// if the layer does not have them. Throws failure if the layout has no such block.
  DenseLayer(const ParameterLayout& layout, const std::string& weights, const std::string& bias);

  /// d_f, rows of a block of inputs on this rank.
  [[nodiscard]] Index local_inputs() const;
  /// Collective on the world. Reads W and b from `theta`, this rank's rows of θ.
  void set_parameters(const double* theta);
  /// Collective on grid.feature(). y = W x + b for p columns; they must not overlap.
  void multiply(Index p, const double* x, double* y) const;
  /// Collective on grid.feature(). out (d_f x p) = Wᵀ delta (m_f x p); they must not overlap.
  void multiply_transpose(Index p, const double* delta, double* out) const;

  /// Sets the gradient that is summed up to zero.
  void clear_gradient();
  /// Collective on grid.feature(). Adds the gradient of a function of y at x: `delta` (m_f x p) is its
  /// derivative with respect to y.
  void add_gradient(Index p, const double* delta, const double* x);
  /// Collective on the world. Sums the gradients of all ranks and writes them into the layer's columns of
  /// this rank's rows.
  void write_gradient(double* gradient);

 private:
  /// From this rank's slice of a block of parameters to the rows of its feature block, and back as a sum.
  void gather(const ParameterBlock& block, const double* theta, double* rows);
  void reduce(const ParameterBlock& block, const double* rows, double* gradient);

  const ParameterLayout& layout_;
  const ParameterBlock* weights_block_ = nullptr;
  const ParameterBlock* bias_block_ = nullptr;
  std::unique_ptr<RowBlockMatrix> weights_, weights_gradient_;
  std::vector<double> bias_, bias_gradient_;  // rows of this rank's block
  std::vector<double> slice_;                 // rows of this rank's slice, for gather and reduce
};

}  // namespace model
}  // namespace poise
