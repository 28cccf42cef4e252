#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/graph/graph_rows.hpp"
#include "poise/petsc/handle.hpp"

namespace poise {
inline namespace graph_solve {

/// THEORY.md 8.2, -graph_normalise: symmetric D^-1/2 (E + I) D^-1/2; walk (E + I) D^-1, by which a node takes
/// the mean over itself and its neighbours; none: E.
enum class Normalisation { symmetric, walk, none };
/// By the names of the values. Throws bad_input for another name.
[[nodiscard]] Normalisation parse_normalisation(const std::string& name);
[[nodiscard]] std::string to_string(Normalisation normalisation);

/// The matrix S (n x n) by which the states of neighbours reach a node: (ZS)_j = Σ_i s_ij z_i, or a power of
/// it, which is never formed: Z S^K is K products, and reaches nodes that are K edges away. Distributed by
/// nodes over grid.sample(): PETSc's MPIAIJ, and for blocks of states MAIJ, whose products exchange the
/// states of all neighbours on other ranks in one message to each rank, while the own nodes are multiplied.
/// A block of states is m_f x n_r, column-major, one column a node of this rank.
class GraphMatrix {
 public:
  /// Collective on the grid. `states`: m_f, rows of a block on this rank. Throws bad_input, on all ranks, if
  /// a directed graph is to be normalised symmetrically, or if n m does not fit PETSc's integers. `hops`: K.
  GraphMatrix(const ProcessGrid& grid, const GraphRows& rows, Normalisation normalisation, Index states,
              Index hops = 1);

  [[nodiscard]] Index nodes() const { return nodes_; }
  [[nodiscard]] Range own() const { return own_; }
  [[nodiscard]] Index local_nodes() const { return own_.size(); }
  [[nodiscard]] Index states() const { return states_; }
  /// K.
  [[nodiscard]] Index hops() const { return hops_; }
  /// ‖S‖ is at most 1 for symmetric (2-norm) and for walk, whose columns sum to 1.
  [[nodiscard]] Normalisation normalisation() const { return normalisation_; }
  /// Number of neighbours of the own nodes.
  [[nodiscard]] const std::vector<Index>& degrees() const { return degrees_; }
  /// The largest degree of all nodes.
  [[nodiscard]] Index largest_degree() const { return largest_degree_; }

  /// Collective on grid.sample(). out = Z S^K, or Z (S^K)ᵀ; z and out must not overlap.
  void multiply(const double* z, double* out) const;
  void multiply_transpose(const double* z, double* out) const;
  /// The same for one number a node in place of its states.
  void multiply_scalars(const double* c, double* out) const;
  void multiply_scalars_transpose(const double* c, double* out) const;

  /// Sᵀ, one row a node, over grid.sample(): (ZS)_j = Σ_i Sᵀ_ji z_i.
  [[nodiscard]] Mat transpose() const { return matrix_.get(); }
  /// If C^-1 S_sym C = Sᵀ with a symmetric S_sym and a diagonal C > 0: C of the own nodes, empty if C = I.
  [[nodiscard]] bool symmetrisable() const { return symmetrisable_; }
  [[nodiscard]] const std::vector<double>& symmetriser() const { return symmetriser_; }

  /// Products of blocks of states with S or its transpose so far.
  [[nodiscard]] Index products() const { return products_; }
  /// Nodes of other ranks whose states a product brings to this rank.
  [[nodiscard]] Index halo() const;

 private:
  void require_countable(const ProcessGrid& grid, const GraphRows& rows) const;
  void assemble(const ProcessGrid& grid, const GraphRows& rows);
  void normalise(MPI_Comm comm, const GraphRows& rows);
  /// PETSc's matrix for columns of `width` numbers a node, with the memory of its products.
  struct Factor {
    Factor(MPI_Comm comm, Mat mat, Index width, Index nodes, Index hops);
    Mat mat;
    VecHandle in, out;
    std::vector<double> between;  ///< between two of the K products
  };
  void multiply(Factor& factor, bool transposed, const double* z, double* out) const;

  Index nodes_, states_, hops_;
  Range own_;
  Normalisation normalisation_;
  bool symmetrisable_;
  std::vector<Index> degrees_;
  Index largest_degree_ = 0;
  std::vector<double> symmetriser_;
  MatHandle matrix_, blocks_;
  std::unique_ptr<Factor> of_states_, of_scalars_;
  mutable Index products_ = 0;
};

}  // namespace graph_solve
}  // namespace poise
