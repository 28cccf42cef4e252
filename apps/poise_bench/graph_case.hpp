#pragma once

#include "poise/graph_solve/graph_objective.hpp"
#include "poise_bench/cases.hpp"
#include "poise_bench/report.hpp"

namespace poise::bench {

/// Number of nodes of -graph: the largest that is no larger than -nodes and that the kind can have.
[[nodiscard]] Index graph_nodes(const BenchSettings& settings);

/// One equilibrium that couples all nodes of a graph, its loss and its gradient. The features of the workload
/// are the injection of the nodes, and every node is labelled. Collective.
class GraphCase final : public BenchCase {
 public:
  /// Takes the features out of the workload, which must outlive it. `settings`: from BenchSettings::of.
  GraphCase(Workload& workload, const BenchSettings& settings);
  Work run() override;

  /// Seconds of the equilibrium alone, on the slowest rank.
  [[nodiscard]] double solve_seconds();
  /// Plain iteration Z <- h(ZS) from the start of `run`, to the same residual of the worst node, or until it
  /// has taken `most_seconds`.
  struct Plain {
    Index iterations = 0;
    double seconds = 0.0;
    bool converged = false;
    double difference = 0.0;  ///< of the states of the last run, largest entry; 0 if it has not converged
  };
  [[nodiscard]] Plain plain_iteration(double most_seconds);

  /// Adds what a graph has beside the entries of all cases.
  void add_to(BenchReport& report, const BenchSettings& settings);

 private:
  [[nodiscard]] double sum(double of_rank) const;

  Workload& workload_;
  double memory_before_;
  Pointwise map_;
  GraphMatrix matrix_;
  Index entries_;
  GraphObjective objective_;
};

}  // namespace poise::bench
