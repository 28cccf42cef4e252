#include "poise/graph_solve/graph_matrix.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
inline namespace graph_solve {

Normalisation parse_normalisation(const std::string& name) {
  for (const Normalisation one : {Normalisation::symmetric, Normalisation::walk, Normalisation::none})
    if (name == to_string(one)) return one;
  throw Error(ExitCode::bad_input, "unknown normalisation '" + name + "': choose symmetric, walk or none",
              true);
}

std::string to_string(Normalisation normalisation) {
  if (normalisation == Normalisation::symmetric) return "symmetric";
  return normalisation == Normalisation::walk ? "walk" : "none";
}

GraphMatrix::GraphMatrix(const ProcessGrid& grid, const GraphRows& rows, Normalisation normalisation,
                         Index states, Index hops)
    : nodes_(rows.nodes),
      states_(states),
      hops_(hops),
      own_(rows.own),
      normalisation_(normalisation),
      symmetrisable_(!rows.directed) {
  if (rows.directed && normalisation == Normalisation::symmetric)
    throw Error(ExitCode::bad_input,
                "a symmetric normalisation needs an undirected graph; give -graph_normalise walk", true);
  require_countable(grid, rows);
  assemble(grid, rows);
  for (const Index degree : degrees_) largest_degree_ = std::max(largest_degree_, degree);
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &largest_degree_, 1, MPI_INT64_T, MPI_MAX, grid.sample()));
  normalise(grid.sample(), rows);
  check(MatCreateMAIJ(matrix_.get(), static_cast<PetscInt>(states), blocks_.out()));
  of_states_ = std::make_unique<Factor>(grid.sample(), blocks_.get(), states, own_.size(), hops);
  of_scalars_ = std::make_unique<Factor>(grid.sample(), matrix_.get(), 1, own_.size(), hops);
}

GraphMatrix::Factor::Factor(MPI_Comm comm, Mat matrix, Index width, Index nodes, Index hops)
    : mat(matrix),
      in(create_vec(comm, width * nodes)),
      out(duplicate(in.get())),
      between(static_cast<std::size_t>(hops > 1 ? width * nodes : 0)) {}

// The Vecs of states have n m entries over all ranks, and a rank counts the entries of its rows.
void GraphMatrix::require_countable(const ProcessGrid& grid, const GraphRows& rows) const {
  Index width = states_;
  Index entries = rows.entries() + own_.size();
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &width, 1, MPI_INT64_T, MPI_SUM, grid.feature()));
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &entries, 1, MPI_INT64_T, MPI_MAX, grid.sample()));
  if (nodes_ <= largest_petsc_int / std::max<Index>(1, width) && entries <= largest_petsc_int) return;
  throw Error(ExitCode::bad_input,
              fmt::format("{} nodes with {} states, or {} entries of the graph on a rank, are more than this "
                          "PETSc can count; build PETSc with 64-bit integers, or use more ranks",
                          nodes_, width, entries),
              true);
}

// Row j of Sᵀ has the neighbours of node j, and j itself unless the weights are used as they are.
void GraphMatrix::assemble(const ProcessGrid& grid, const GraphRows& rows) {
  const bool loops = normalisation_ != Normalisation::none;
  const Index count = own_.size();
  std::vector<PetscInt> starts(static_cast<std::size_t>(count + 1)), columns;
  std::vector<double> values;
  columns.reserve(rows.neighbours.size() + static_cast<std::size_t>(count));
  values.reserve(columns.capacity());
  degrees_.resize(static_cast<std::size_t>(count));
  for (Index k = 0; k < count; ++k) {
    const Index node = own_.begin + k;
    bool placed = !loops;
    degrees_[k] = rows.starts[k + 1] - rows.starts[k];
    for (Index e = rows.starts[k]; e < rows.starts[k + 1]; ++e) {
      if (!placed && rows.neighbours[e] > node) {
        columns.push_back(static_cast<PetscInt>(node));
        values.push_back(1.0);
        placed = true;
      }
      columns.push_back(static_cast<PetscInt>(rows.neighbours[e]));
      values.push_back(rows.weights.empty() ? 1.0 : rows.weights[e]);
    }
    if (!placed) {
      columns.push_back(static_cast<PetscInt>(node));
      values.push_back(1.0);
    }
    starts[k + 1] = static_cast<PetscInt>(columns.size());
  }
  const auto local = static_cast<PetscInt>(count);
  const auto all = static_cast<PetscInt>(nodes_);
  check(MatCreateMPIAIJWithArrays(grid.sample(), local, local, all, all, starts.data(), columns.data(),
                                  values.data(), matrix_.out()));
}

void GraphMatrix::normalise(MPI_Comm comm, const GraphRows& rows) {
  if (normalisation_ == Normalisation::none) return;
  const VecHandle scale = create_vec(comm, own_.size());
  const bool walk = normalisation_ == Normalisation::walk;
  {
    WriteArray factors(scale.get());
    for (Index k = 0; k < own_.size(); ++k) {
      double degree = 1.0 + static_cast<double>(rows.weights.empty() ? degrees_[k] : 0);
      if (!rows.weights.empty())
        for (Index e = rows.starts[k]; e < rows.starts[k + 1]; ++e) degree += rows.weights[e];
      factors[k] = walk ? 1.0 / degree : 1.0 / std::sqrt(degree);
      if (walk && symmetrisable_) symmetriser_.push_back(std::sqrt(degree));
    }
  }
  check(MatDiagonalScale(matrix_.get(), scale.get(), walk ? nullptr : scale.get()));
}

void GraphMatrix::multiply(Factor& factor, bool transposed, const double* z, double* out) const {
  // A symmetric matrix times a block exchanges before it multiplies, and so overlaps; a transposed one does
  // not.
  const bool symmetric = symmetrisable_ && symmetriser_.empty();
  const auto product = transposed && !symmetric ? MatMultTranspose : MatMult;
  double* between = factor.between.data();
  for (Index hop = 1; hop <= hops_; ++hop) {
    double* target = (hops_ - hop) % 2 == 0 ? out : between;        // the last product writes to `out`
    const PlacedArray in(factor.in.get(), const_cast<double*>(z));  // which MatMult only reads
    const PlacedArray result(factor.out.get(), target);
    check(product(factor.mat, factor.in.get(), factor.out.get()));
    z = target;
  }
}

void GraphMatrix::multiply(const double* z, double* out) const {
  multiply(*of_states_, false, z, out);
  products_ += hops_;
}

void GraphMatrix::multiply_transpose(const double* z, double* out) const {
  multiply(*of_states_, true, z, out);
  products_ += hops_;
}

void GraphMatrix::multiply_scalars(const double* c, double* out) const {
  multiply(*of_scalars_, false, c, out);
}

void GraphMatrix::multiply_scalars_transpose(const double* c, double* out) const {
  multiply(*of_scalars_, true, c, out);
}

Index GraphMatrix::halo() const {
  Mat outside = nullptr;
  check(MatMPIAIJGetSeqAIJ(matrix_.get(), nullptr, &outside, nullptr));
  PetscInt columns = 0;
  check(MatGetSize(outside, nullptr, &columns));
  return columns;
}

}  // namespace graph_solve
}  // namespace poise
