#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/spectrum/sections.hpp"

namespace poise::spectrum {
namespace {

double norm_of(Mat matrix, NormType type) {
  PetscReal norm = 0.0;
  check(MatNorm(matrix, type, &norm));
  return norm;
}

/// The matrix with the eigenvalues of S that is symmetric, C Sᵀ C⁻¹; Sᵀ itself if there is none.
MatHandle symmetrised(MPI_Comm comm, const GraphMatrix& graph) {
  MatHandle copy;
  check(MatDuplicate(graph.transpose(), MAT_COPY_VALUES, copy.out()));
  const std::vector<double>& factors = graph.symmetriser();
  if (!graph.symmetrisable() || graph.normalisation() != Normalisation::walk) return copy;
  const VecHandle left = create_vec(comm, graph.local_nodes());
  const VecHandle right = duplicate(left.get());
  {
    WriteArray rows(left.get());
    WriteArray columns(right.get());
    for (Index k = 0; k < graph.local_nodes(); ++k) {
      rows[k] = factors[static_cast<std::size_t>(k)];
      columns[k] = 1.0 / rows[k];
    }
  }
  check(MatDiagonalScale(copy.get(), left.get(), right.get()));
  return copy;
}

/// x ↦ ±Mx over the nodes; `matrix` must outlive it.
LinearOperator node_operator(MPI_Comm comm, Mat matrix, const GraphMatrix& graph, double sign) {
  const Index nodes = graph.local_nodes();
  const auto in = std::make_shared<VecHandle>(create_vec(comm, nodes));
  const auto out = std::make_shared<VecHandle>(duplicate(in->get()));
  return {comm,
          graph.own().begin,
          nodes,
          1,
          graph.nodes(),
          [=](const double* x, double* y) {
            {
              const PlacedArray from(in->get(), const_cast<double*>(x));  // which MatMult only reads
              const PlacedArray to(out->get(), y);
              check(MatMult(matrix, in->get(), out->get()));
            }
            for (Index k = 0; k < nodes; ++k) y[k] *= sign;
          },
          {}};
}

double over_ranks(MPI_Comm comm, double value, MPI_Op op) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, op, comm));
  return value;
}

/// The largest degree of E + I.
double largest_of_degrees(MPI_Comm comm, const GraphRows& rows) {
  double largest = 0.0;
  for (std::size_t node = 0; node + 1 < rows.starts.size(); ++node) {
    double degree = 1.0;
    for (Index e = rows.starts[node]; e < rows.starts[node + 1]; ++e)
      degree += rows.weights.empty() ? 1.0 : rows.weights[static_cast<std::size_t>(e)];
    largest = std::max(largest, degree);
  }
  return over_ranks(comm, largest, MPI_MAX);
}

/// V ↦ (∂H/∂Z)V over the states of all nodes. Both must outlive it.
LinearOperator jacobian_operator(const GraphEquation& equation, const std::vector<double>& slopes) {
  const MPI_Comm world = equation.grid().world();
  const Index own = equation.local_size();
  Index end = 0;
  Index all = own;
  check_mpi(MPI_Scan(&own, &end, 1, MPI_INT64_T, MPI_SUM, world));
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT64_T, MPI_SUM, world));
  return {world,
          end - own,
          own,
          1,
          all,
          [&](const double* x, double* y) { equation.jacobian(slopes.data(), x, y); },
          [&](const double* x, double* y) { equation.jacobian_transpose(slopes.data(), x, y); }};
}

}  // namespace

void Sections::graph() {
  if (nodes_ == nullptr) return;
  const GraphMatrix& graph = nodes_->equation().matrix();
  const MPI_Comm comm = experiment_.grid().sample();
  const std::string power = graph.hops() > 1 ? fmt::format("^{}", graph.hops()) : "";
  table_.section("graph", fmt::format("Graph matrix S, {}, and the map Z -> W Z S{} (THEORY.md 8)",
                                      to_string(graph.normalisation()), power));
  double entries = 0.0;
  for (const Index degree : graph.degrees()) entries += static_cast<double>(degree);
  const auto count = [&](const char* name, const char* label, double value) {
    table_.add({.name = name, .label = label, .value = value});
  };
  count("nodes", "nodes", static_cast<double>(graph.nodes()));
  count("entries", "entries", over_ranks(comm, entries, MPI_SUM));
  count("largest_degree", "largest degree", static_cast<double>(graph.largest_degree()));
  count("frobenius_norm", "|S|_F", norm_of(graph.transpose(), NORM_FROBENIUS));
  if (norm_of(graph.transpose(), NORM_FROBENIUS) == 0.0)
    return table_.note("S is 0, because the graph has no edges: nodes do not see one another");
  graph_eigenvalues();
}

void Sections::graph_eigenvalues() {
  const GraphMatrix& graph = nodes_->equation().matrix();
  const MPI_Comm comm = experiment_.grid().sample();
  const bool normalised = graph.normalisation() != Normalisation::none;
  const MatHandle matrix = symmetrised(comm, graph);
  const double bound = norm_of(matrix.get(), NORM_INFINITY);  // not below any eigenvalue
  const SpectralSolver solver{
      .prefix = "spec_graph_", .quantity = "extreme eigenvalues of S", .scale = normalised ? 1.0 : bound};
  const Theory one = normalised ? Theory{"=", 1.0, "rho(S) = 1 (8.2)"} : Theory{"<=", bound, "|S|_inf"};
  if (!graph.symmetrisable()) {
    const Eigenvalues found = leading_eigenvalues(node_operator(comm, matrix.get(), graph, 1.0), 1, solver);
    const double radius = found.values.front().modulus();
    table_.add({.name = "spectral_radius",
                .label = "spectral radius rho(S)",
                .value = radius,
                .residual = found.values.front().residual,
                .theory = one,
                .products = found.products});
    table_.note(
        "smallest eigenvalue of S: does not apply, the eigenvalues of a directed graph may be complex");
    return graph_map(radius, {});
  }
  const SpectralValue largest = largest_eigenvalue(node_operator(comm, matrix.get(), graph, 1.0), solver);
  table_.add("largest_eigenvalue", "lambda_max(S)", largest, one);
  SpectralValue smallest = largest_eigenvalue(node_operator(comm, matrix.get(), graph, -1.0), solver);
  smallest.value = -smallest.value;
  const double lowest = -1.0 + 2.0 / largest_of_degrees(comm, experiment_.data().graph()->rows);
  table_.add("smallest_eigenvalue", "lambda_min(S)", smallest,
             normalised ? Theory{">=", lowest, "-1 + 2/d, d the largest degree of E + I (8.2)"}
                        : Theory{">=", -bound, "-|S|_inf"});
  const double share = norm_of(matrix.get(), NORM_FROBENIUS) / norm_of(graph.transpose(), NORM_FROBENIUS);
  graph_map(std::max(largest.value, -smallest.value), share * share);
}

// The eigenvalues of Z ↦ WZS are the products of those of W and S, of Z ↦ WZS^K those of W and powers of S's.
// Henrici's number of a Kronecker product follows from the shares Σ|λ|²/‖·‖_F² of its factors; `graph_share`
// is that of S.
void Sections::graph_map(double graph_radius, std::optional<double> graph_share) {
  const GraphMatrix& graph = nodes_->equation().matrix();
  const bool normalised = graph.normalisation() != Normalisation::none;
  const double reach_radius = std::pow(graph_radius, static_cast<double>(graph.hops()));
  Theory theory{"", 0.0, "below 1, Z <- W Z S + Phi converges"};
  if (normalised && shape_.weights == WeightKind::softmax) theory = {"=", shape_.gamma, "gamma (8.2)"};
  if (normalised && shape_.weights == WeightKind::spectral)
    theory = {"<=", shape_.gamma, "gamma, the bound of |W|_2 (2.2)"};
  if (frobenius_ == 0.0) return table_.note("the map Z -> W Z S is 0, because W is");
  table_.add({.name = "map_spectral_radius",
              .label = "rho of Z -> W Z S",
              .value = radius_ * reach_radius,
              .theory = theory});
  // A power of a symmetric S is as normal as S; of other powers, which are never formed, no share is known.
  if (graph.hops() > 1 && graph.normalisation() == Normalisation::walk) {
    table_.note("departure of the map from normality: with -graph_hops above 1 only for a symmetric S");
    return;
  }
  if (normal_share_ && graph_share)
    table_.add({.name = "map_departure_from_normality",
                .label = "departure of the map",
                .value = std::sqrt(std::max(0.0, 1.0 - *normal_share_ * *graph_share)),
                .theory = {"", 0.0, "Henrici, as for W; of a normal S that of W"}});
  else
    table_.note(graph_share
                    ? fmt::format("departure of the map from normality: W is wider than -dense_limit {}",
                                  settings_.dense_limit)
                    : "departure of the map from normality: the eigenvalues of a directed graph are not "
                      "all computed");
}

void Sections::graph_jacobian() {
  table_.section("jacobian", "Jacobian dH/dZ at the equilibrium of all nodes");
  if (shape_.activation == Activation::identity)
    return table_.note("dH/dZ is Z -> W Z S at every Z, see above: the model is linear");
  if (run_.network.is_unrolled())
    return table_.note("does not apply: -objective unrolled has no equilibrium");
  (void)experiment_.network().objective().score(experiment_.theta(), experiment_.problem().train);
  const GraphEquation& equation = nodes_->equation();
  const std::vector<double>& z = nodes_->states();
  std::vector<double> h(z.size());
  std::vector<double> slopes(static_cast<std::size_t>(equation.map().slope_rows() * equation.local_nodes()));
  equation.apply(z.data(), nodes_->injection().data(), h.data());
  equation.linearise(z.data(), h.data(), slopes.data());
  const LinearOperator jacobian = jacobian_operator(equation, slopes);
  std::vector<double> image(z.size());
  const std::vector<double> probe = random_vector(jacobian);
  jacobian.apply(probe.data(), image.data());
  if (vector_norm(jacobian, image) == 0.0)
    return table_.note("dH/dZ is 0: no state of a node depends on its neighbours");
  const SpectralValue norm =
      largest_singular_value(jacobian, {.prefix = "spec_jacobian_norm_", .quantity = "norms of Jacobians"});
  const Eigenvalues top = leading_eigenvalues(jacobian, 1,
                                              {.prefix = "spec_jacobian_",
                                               .quantity = "leading eigenvalues of Jacobians",
                                               .tolerance = 1e-10,
                                               .scale = norm.value});
  // The slopes are at most 1, so a map without negative entries has at most the radius of Z -> W Z S.
  const bool bounded =
      equation.matrix().normalisation() != Normalisation::none && shape_.weights == WeightKind::softmax;
  table_.add({.name = "spectral_radius",
              .label = "rho",
              .value = top.values.front().modulus(),
              .residual = top.values.front().residual,
              .theory = bounded ? Theory{"<=", shape_.gamma, "gamma (8.2)"}
                                : Theory{"", 0.0, "below 1, plain iteration converges near Z*"},
              .products = top.products});
  table_.add("norm", "|dH/dZ|_2", norm);
}

}  // namespace poise::spectrum
