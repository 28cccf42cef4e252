#include "poise/graph_solve/graph_equation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/solve/outcome.hpp"

namespace poise {
inline namespace graph_solve {

GraphEquation::GraphEquation(const ProcessGrid& grid, EquilibriumMap& map, const GraphMatrix& matrix)
    : grid_(grid),
      map_(map),
      matrix_(matrix),
      work_(static_cast<std::size_t>(local_size())),
      norms_(static_cast<std::size_t>(local_nodes())) {}

void GraphEquation::apply(const double* z, const double* injection, double* h) const {
  matrix_.multiply(z, work_.data());
  map_.apply(local_nodes(), work_.data(), injection, h);
}

void GraphEquation::linearise(const double* z, const double* h, double* slopes) const {
  // A pointwise map takes its slopes from h alone and needs no product.
  if (!map_.pointwise_form()) matrix_.multiply(z, work_.data());
  map_.linearise(local_nodes(), work_.data(), h, slopes);
}

void GraphEquation::jacobian(const double* slopes, const double* v, double* out) const {
  matrix_.multiply(v, work_.data());
  map_.jacobian(local_nodes(), slopes, work_.data(), out);
}

void GraphEquation::jacobian_transpose(const double* slopes, const double* v, double* out) const {
  map_.jacobian_transpose(local_nodes(), slopes, v, work_.data());
  matrix_.multiply_transpose(work_.data(), out);
}

void GraphEquation::add_gradient(const double* slopes, const double* z, const double* features,
                                 const double* lambda) {
  matrix_.multiply(z, work_.data());
  map_.add_gradient(local_nodes(), slopes, work_.data(), features, lambda);
}

GraphEquation::Worst GraphEquation::worst(const double* block) const {
  column_norms(grid_.feature(), states(), local_nodes(), block, norms_.data());
  struct {
    double norm = -1.0;
    int rank = 0;
  } largest;
  largest.rank = grid_.sample_index();
  Index node = -1;
  for (Index k = 0; k < local_nodes(); ++k) {
    const double norm = std::isnan(norms_[k]) ? std::numeric_limits<double>::infinity() : norms_[k];
    if (norm <= largest.norm) continue;
    largest.norm = norm;
    node = matrix_.own().begin + k;
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE_INT, MPI_MAXLOC, grid_.sample()));
  check_mpi(MPI_Bcast(&node, 1, MPI_INT64_T, largest.rank, grid_.sample()));
  return {std::max(0.0, largest.norm), node};
}

double GraphEquation::norm(const double* block) const {
  double sum = 0.0;
  for (Index i = 0; i < local_size(); ++i) sum += block[i] * block[i];
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, grid_.world()));
  return std::sqrt(sum);
}

std::string GraphEquation::describe(Index node) const {
  Index degree = matrix_.own().contains(node) ? matrix_.degrees()[node - matrix_.own().begin] : 0;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &degree, 1, MPI_INT64_T, MPI_MAX, grid_.sample()));
  return fmt::format("node {}, which has {} neighbours", node, degree);
}

}  // namespace graph_solve
}  // namespace poise
