#include "poise/graph/graph_rows.hpp"

#include <algorithm>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {
inline namespace graph {
namespace {

/// Sets of nodes that edges have joined: every node points to a smaller one of its set, or to itself.
class Sets {
 public:
  explicit Sets(Index nodes) : smaller_(indices({0, nodes})) {}
  void join(Index a, Index b) {
    a = smallest(a);
    b = smallest(b);
    smaller_[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
  }
  [[nodiscard]] Index count() const {
    Index count = 0;
    for (std::size_t node = 0; node < smaller_.size(); ++node)
      if (smaller_[node] == static_cast<Index>(node)) ++count;
    return count;
  }
  [[nodiscard]] std::vector<Index>& smaller() { return smaller_; }

 private:
  /// Halves the path on the way.
  Index smallest(Index node) {
    Index* next = &smaller_[static_cast<std::size_t>(node)];
    while (*next != node) {
      *next = smaller_[static_cast<std::size_t>(*next)];
      node = *next;
      next = &smaller_[static_cast<std::size_t>(node)];
    }
    return node;
  }
  std::vector<Index> smaller_;
};

/// Collective. Joins the sets of all ranks, by a tree of messages: in each round, half of the ranks hand
/// their sets to a rank of the other half. The result is on rank 0.
void join_ranks(MPI_Comm comm, Index nodes, Sets& sets) {
  constexpr Index longest = Index{1} << 20;
  int rank = 0;
  int size = 1;
  check_mpi(MPI_Comm_rank(comm, &rank));
  check_mpi(MPI_Comm_size(comm, &size));
  std::vector<Index> theirs(static_cast<std::size_t>(std::min(nodes, longest)));
  for (int stride = 1; stride < size; stride *= 2) {
    const bool sends = rank % (2 * stride) == stride;
    if (!sends && (rank % (2 * stride) != 0 || rank + stride >= size)) continue;
    for (Index begin = 0; begin < nodes; begin += longest) {
      const int count = mpi_count(std::min(longest, nodes - begin));
      if (sends) {
        check_mpi(MPI_Send(sets.smaller().data() + begin, count, MPI_INT64_T, rank - stride, 0, comm));
        continue;
      }
      check_mpi(MPI_Recv(theirs.data(), count, MPI_INT64_T, rank + stride, 0, comm, MPI_STATUS_IGNORE));
      for (int i = 0; i < count; ++i) sets.join(begin + i, theirs[static_cast<std::size_t>(i)]);
    }
  }
}

}  // namespace

GraphStatistics statistics_of(MPI_Comm comm, const GraphRows& rows) {
  GraphStatistics s{
      .nodes = rows.nodes, .entries = rows.entries(), .smallest_degree = std::numeric_limits<Index>::max()};
  Sets sets(rows.nodes);
  for (Index i = 0; i < rows.own.size(); ++i) {
    const auto row = static_cast<std::size_t>(i);
    const Index degree = rows.starts[row + 1] - rows.starts[row];
    s.smallest_degree = std::min(s.smallest_degree, degree);
    s.largest_degree = std::max(s.largest_degree, degree);
    if (degree == 0) ++s.isolated;
    for (Index k = rows.starts[row]; k < rows.starts[row + 1]; ++k)
      sets.join(rows.own.begin + i, rows.neighbours[static_cast<std::size_t>(k)]);
  }
  join_ranks(comm, rows.nodes, sets);
  s.components = sets.count();
  check_mpi(MPI_Bcast(&s.components, 1, MPI_INT64_T, 0, comm));
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &s.entries, 1, MPI_INT64_T, MPI_SUM, comm));
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &s.isolated, 1, MPI_INT64_T, MPI_SUM, comm));
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &s.smallest_degree, 1, MPI_INT64_T, MPI_MIN, comm));
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &s.largest_degree, 1, MPI_INT64_T, MPI_MAX, comm));
  return s;
}

}  // namespace graph
}  // namespace poise
