#include "poise_bench/graph_case.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/graph/graph_generators.hpp"

namespace poise::bench {
namespace {

constexpr Index chain_length = 1000;

Index side_of(Index nodes) {
  return std::max<Index>(1, static_cast<Index>(std::sqrt(static_cast<double>(nodes))));
}

GraphRows make_rows(const ProcessGrid& ranks, const BenchSettings& s, Index nodes) {
  const MPI_Comm comm = ranks.sample();
  // Weak scaling makes more rows of a grid, and more chains.
  if (s.graph == "grid") return grid(comm, nodes / side_of(s.n), side_of(s.n));
  if (s.graph == "chain")
    return chains(comm, nodes / std::min(nodes, chain_length), std::min(nodes, chain_length));
  const auto drawn = static_cast<Index>(std::llround(0.5 * s.degree * static_cast<double>(nodes)));
  return rmat(comm, nodes, std::max<Index>(1, drawn), s.seed);
}

std::vector<double> injection_of(Workload& workload) {
  SampleSet& nodes = workload.problem.train;
  nodes.nodes = indices({0, nodes.count});
  return std::move(nodes.features);
}

}  // namespace

Index graph_nodes(const BenchSettings& s) {
  if (s.graph == "grid") return side_of(s.nodes) * side_of(s.nodes);
  return s.graph == "chain" && s.nodes > chain_length ? s.nodes / chain_length * chain_length : s.nodes;
}

GraphCase::GraphCase(Workload& workload, const BenchSettings& settings)
    : workload_(workload),
      memory_before_(resident_mb()),
      map_(workload.layout, workload.recipe.shape),
      matrix_(workload.grid, make_rows(workload.grid, settings, workload.problem.train.total),
              Normalisation::symmetric, workload.layout.block().size()),
      entries_(0),
      objective_(workload.layout, map_, matrix_, injection_of(workload), workload.problem,
                 {.rtol = workload.recipe.rtol}) {
  for (const Index degree : matrix_.degrees()) entries_ += degree;
}

double GraphCase::sum(double of_rank) const {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &of_rank, 1, MPI_DOUBLE, MPI_SUM, workload_.grid.world()));
  return of_rank;
}

Work GraphCase::run() {
  // Write access marks θ as changed; otherwise the objective sees that it has solved for it already.
  { const WriteArray touched(workload_.theta.get()); }
  ProductCount before, after;
  before.add(map_.pointwise_form()->weights);
  const Index products_before = matrix_.products();
  const Evaluation result = objective_.value_and_gradient(workload_.theta.get(), workload_.gradient.get());
  after.add(map_.pointwise_form()->weights);
  const auto products = static_cast<double>(matrix_.products() - products_before);
  const auto rows = static_cast<double>(workload_.layout.block().size());
  Work work = work_of_products(workload_, before, after);
  work.flops = 2.0 * rows *
               (static_cast<double>(workload_.layout.width()) * work.columns +
                products * static_cast<double>(entries_ + matrix_.local_nodes()));
  work.products = products;
  work.residual = std::max(result.equilibrium.residual, result.adjoint.residual);
  work.equilibrium_iterations = static_cast<double>(result.equilibrium.iterations);
  work.adjoint_iterations = static_cast<double>(result.adjoint.iterations);
  return work;
}

double GraphCase::solve_seconds() {
  const MPI_Comm comm = workload_.grid.world();
  { const WriteArray touched(workload_.theta.get()); }
  check_mpi(MPI_Barrier(comm));
  const double start = MPI_Wtime();
  (void)objective_.score(workload_.theta.get(), workload_.problem.train);
  return largest(comm, MPI_Wtime() - start);
}

GraphCase::Plain GraphCase::plain_iteration(double most_seconds) {
  const GraphEquation& equation = objective_.equation();
  const MPI_Comm comm = workload_.grid.world();
  const std::vector<double> found = objective_.states();
  std::vector<double> z = objective_.injection(), h(z.size());
  constexpr Index between_tests = 10;
  Plain plain;
  const double start = MPI_Wtime();
  while (!plain.converged && plain.seconds < most_seconds) {
    for (Index k = 0; k < between_tests; ++k) {
      equation.apply(z.data(), objective_.injection().data(), h.data());
      z.swap(h);
    }
    plain.iterations += between_tests;
    for (std::size_t i = 0; i < z.size(); ++i) h[i] -= z[i];
    plain.converged = equation.worst(h.data()).norm <= workload_.recipe.rtol * equation.worst(z.data()).norm;
    plain.seconds = largest(comm, MPI_Wtime() - start);
  }
  if (!plain.converged) return plain;
  for (std::size_t i = 0; i < z.size(); ++i)
    plain.difference = std::max(plain.difference, std::abs(z[i] - found[i]));
  plain.difference = largest(comm, plain.difference);
  return plain;
}

void GraphCase::add_to(BenchReport& report, const BenchSettings& settings) {
  const ProcessGrid& grid = workload_.grid;
  // Every rank of grid.feature() has the rows of the same nodes.
  const double entries = sum(static_cast<double>(entries_)) / grid.feature_ranks();
  const double megabytes = sum(resident_mb() - memory_before_);
  const auto nodes = static_cast<double>(matrix_.nodes());
  report.add_text("graph", settings.graph);
  report.add("gamma", settings.gamma);
  report.add_text("activation", to_string(workload_.recipe.shape.activation));
  report.add("edges", 0.5 * entries);
  report.add("megabytes", megabytes);
  report.add("bytes_per_node", 1e6 * megabytes / nodes);
  report.add("bytes_per_edge", entries > 0.0 ? 2e6 * megabytes / entries : 0.0);
  // What a product brings in, and for grids and chains in blocks of rows the nodes along the cuts.
  report.add("halo_bytes", 8.0 * sum(static_cast<double>(matrix_.states() * matrix_.halo())));
  if (settings.graph == "grid") {
    const auto cuts = static_cast<double>(2 * (grid.sample_ranks() - 1) * side_of(settings.n));
    report.add("halo_bytes_model", 8.0 * static_cast<double>(settings.m) * cuts);
  }
  const double seconds = solve_seconds();
  report.add("solve_seconds", seconds);
  const Plain plain = plain_iteration(settings.plain_factor * seconds);
  report.add("plain_iterations", static_cast<double>(plain.iterations));
  report.add("plain_seconds", plain.seconds);
  report.add("plain_converged", plain.converged ? 1.0 : 0.0);
  report.add("plain_difference", plain.difference);
  report.add("seconds_ratio", plain.seconds / seconds);
}

}  // namespace poise::bench
