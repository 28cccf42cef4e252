#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/base/pieces.hpp"
#include "poise/graph/entry_exchange.hpp"
#include "poise/graph/graph_generators.hpp"
#include "poise/linalg/blas.hpp"

namespace poise {
inline namespace graph {
namespace {

constexpr Index tile = 256;  // nodes whose products are in memory at a time

double product(const double* x, const double* y, Index inputs) {
  double sum = 0.0;
  for (Index j = 0; j < inputs; ++j) sum += x[j] * y[j];
  return sum;
}

/// Summed in one order, so that it does not depend on how BLAS cuts the products.
double distance(const double* x, const double* y, Index inputs) {
  double sum = 0.0;
  for (Index j = 0; j < inputs; ++j) sum += (x[j] - y[j]) * (x[j] - y[j]);
  return sum;
}

/// The nearest nodes of every node of this rank among those that have been seen.
class Search {
 public:
  Search(const std::vector<double>& features, Index inputs, Range own, Index neighbours)
      : features_(features),
        inputs_(inputs),
        own_(own),
        most_(static_cast<std::size_t>(neighbours)),
        nearest_(static_cast<std::size_t>(own.size())) {
    for (Index i = 0; i < own.size(); ++i) norms_.push_back(product(at(i), at(i), inputs));
  }

  /// Looks at the nodes `others`, whose features are `theirs`.
  void see(Range others, const std::vector<double>& theirs) {
    std::vector<double> norms, products(static_cast<std::size_t>(tile * others.size()));
    for (Index j = 0; j < others.size(); ++j)
      norms.push_back(product(&theirs[index(j)], &theirs[index(j)], inputs_));
    for (Index begin = 0; begin < own_.size(); begin += tile) {
      const Index rows = std::min(tile, own_.size() - begin);
      gemm('T', 'N', rows, others.size(), inputs_, 1.0, at(begin), inputs_, theirs.data(), inputs_, 0.0,
           products.data(), rows);
      for (Index j = 0; j < others.size(); ++j)
        for (Index i = 0; i < rows; ++i) {
          const double both =
              norms_[static_cast<std::size_t>(begin + i)] + norms[static_cast<std::size_t>(j)];
          const double about = both - 2.0 * products[static_cast<std::size_t>(j * rows + i)];
          consider(begin + i, others.begin + j, about - rounding() * both, &theirs[index(j)]);
        }
    }
  }

  [[nodiscard]] const std::vector<std::pair<double, Index>>& nearest(Index i) const {
    return nearest_[static_cast<std::size_t>(i)];
  }

 private:
  [[nodiscard]] std::size_t index(Index i) const { return static_cast<std::size_t>(i * inputs_); }
  [[nodiscard]] const double* at(Index i) const { return features_.data() + i * inputs_; }
  /// A bound of the rounding of `about` by `both`: sums of `inputs_` products, and their difference.
  [[nodiscard]] double rounding() const {
    return 4.0 * static_cast<double>(inputs_ + 8) * std::numeric_limits<double>::epsilon();
  }
  /// `least`: no distance is smaller. Of two nodes at the same distance, the one with the smaller number is
  /// nearer.
  void consider(Index i, Index other, double least, const double* theirs) {
    if (own_.begin + i == other) return;
    auto& heap = nearest_[static_cast<std::size_t>(i)];
    if (heap.size() == most_ && least > heap.front().first) return;
    const std::pair<double, Index> candidate{distance(at(i), theirs, inputs_), other};
    if (heap.size() == most_) {
      if (candidate >= heap.front()) return;
      std::pop_heap(heap.begin(), heap.end());
      heap.pop_back();
    }
    heap.push_back(candidate);
    std::push_heap(heap.begin(), heap.end());
  }

  const std::vector<double>& features_;
  Index inputs_;
  Range own_;
  std::size_t most_;
  std::vector<double> norms_;
  std::vector<std::vector<std::pair<double, Index>>> nearest_;
};

}  // namespace

GraphRows nearest_neighbours(MPI_Comm comm, const std::vector<double>& features, Index inputs, Index nodes,
                             Index neighbours) {
  if (neighbours < 1 || neighbours >= nodes)
    throw Error(ExitCode::bad_input,
                fmt::format("{} nearest neighbours among {} nodes: there must be at least 1, and fewer than "
                            "nodes",
                            neighbours, nodes),
                true);
  const Range own = own_nodes(comm, nodes);
  Search search(features, inputs, own, neighbours);
  int size = 1;
  int rank = 0;
  check_mpi(MPI_Comm_size(comm, &size));
  check_mpi(MPI_Comm_rank(comm, &rank));
  for (int root = 0; root < size; ++root) {
    const Range theirs = block_range(nodes, size, root);
    for (Index begin = theirs.begin; begin < theirs.end; begin += tile) {
      const Range part{begin, std::min(begin + tile, theirs.end)};
      std::vector<double> block(static_cast<std::size_t>(part.size() * inputs));
      if (rank == root)
        std::copy_n(features.begin() + (begin - own.begin) * inputs, part.size() * inputs, block.begin());
      check_mpi(MPI_Bcast(block.data(), mpi_count(part.size() * inputs), MPI_DOUBLE, root, comm));
      search.see(part, block);
    }
  }
  RowBuilder builder(comm, nodes);
  std::vector<GraphEntry> entries;
  for_pieces(comm, own, std::max<Index>(1, builder.round() / (2 * neighbours)), [&](Range part) {
    entries.clear();
    for (Index node = part.begin; node < part.end; ++node)
      for (const auto& [far, other] : search.nearest(node - own.begin)) {
        entries.push_back({node, other});
        entries.push_back({other, node});
      }
    builder.add(entries);
  });
  return builder.finish(false);
}

}  // namespace graph
}  // namespace poise
