#include "poise/graph/entry_exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"

namespace poise {
inline namespace graph {
namespace {

/// Entries of a round over all ranks: in the worst case one rank receives them all.
constexpr Index round_of_all = Index{1} << 20;
constexpr Index smallest_round = 1 << 10;

constexpr Index bytes_of_entry = sizeof(GraphEntry);

std::vector<int> places_of(const std::vector<int>& counts) {
  std::vector<int> places(counts.size(), 0);
  Index place = 0;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    places[r] = mpi_count(place);
    place += counts[r];
  }
  return places;
}

}  // namespace

std::vector<Index> node_offsets(MPI_Comm comm, Index nodes) {
  const int size = size_of(comm);
  std::vector<Index> offsets{0};
  for (int rank = 0; rank < size; ++rank) offsets.push_back(block_range(nodes, size, rank).end);
  return offsets;
}

EntryExchange::EntryExchange(MPI_Comm comm, std::vector<Index> offsets)
    : comm_(comm),
      offsets_(std::move(offsets)),
      round_(std::max(smallest_round, round_of_all / size_of(comm))) {}

std::size_t EntryExchange::owner(Index row) const {
  return static_cast<std::size_t>(std::upper_bound(offsets_.begin() + 1, offsets_.end() - 1, row) -
                                  offsets_.begin() - 1);
}

const std::vector<GraphEntry>& EntryExchange::send(const std::vector<GraphEntry>& entries) {
  const std::size_t ranks = offsets_.size() - 1;
  if (ranks == 1) return entries;
  std::vector<int> sent(ranks, 0), received(ranks, 0);
  for (const GraphEntry& entry : entries) ++sent[owner(entry.row)];
  std::vector<int> places = places_of(sent);
  sorted_.resize(entries.size());
  for (const GraphEntry& entry : entries)
    sorted_[static_cast<std::size_t>(places[owner(entry.row)]++)] = entry;
  check_mpi(MPI_Alltoall(sent.data(), 1, MPI_INT, received.data(), 1, MPI_INT, comm_));
  received_.resize(std::accumulate(received.begin(), received.end(), std::size_t{0}));
  MPI_Datatype type = MPI_DATATYPE_NULL;
  check_mpi(MPI_Type_contiguous(mpi_count(bytes_of_entry), MPI_BYTE, &type));
  check_mpi(MPI_Type_commit(&type));
  check_mpi(MPI_Alltoallv(sorted_.data(), sent.data(), places_of(sent).data(), type, received_.data(),
                          received.data(), places_of(received).data(), type, comm_));
  check_mpi(MPI_Type_free(&type));
  return received_;
}

RowBuilder::RowBuilder(MPI_Comm comm, Index nodes, bool weighted)
    : comm_(comm),
      nodes_(nodes),
      own_(own_nodes(comm, nodes)),
      exchange_(comm, node_offsets(comm, nodes)),
      weighted_(weighted) {
  const Index longest = block_range(nodes, size_of(comm), 0).size();
  if (longest > 0 && nodes > std::numeric_limits<Index>::max() / longest)
    throw Error(
        ExitCode::failed,
        fmt::format("a graph of {} nodes is too large for {} ranks: use more ranks", nodes, size_of(comm)),
        true);
}

void RowBuilder::add(const std::vector<GraphEntry>& entries) {
  for (const GraphEntry& entry : exchange_.send(entries)) {
    const Index place = (entry.row - own_.begin) * nodes_ + entry.column;
    if (entry.row == entry.column)
      ++self_loops_;
    else if (weighted_)
      weighted_places_.emplace_back(place, entry.weight);
    else
      places_.push_back(place);
  }
}

/// Fills places_, sorted and without doubles; their weights.
std::vector<double> RowBuilder::sort_weighted() {
  std::sort(weighted_places_.begin(), weighted_places_.end());
  std::vector<double> weights;
  for (const auto& [place, weight] : weighted_places_) {
    if (places_.empty() || places_.back() != place) {
      places_.push_back(place);
      weights.push_back(weight);
      continue;
    }
    ++doubles_;
    if (weight != weights.back() && !conflict_)
      conflict_ = GraphEntry{own_.begin + place / nodes_, place % nodes_, weight};
  }
  weighted_places_ = {};
  return weights;
}

GraphRows RowBuilder::finish(bool directed) {
  GraphRows rows{.nodes = nodes_, .own = own_, .directed = directed};
  if (weighted_) {
    rows.weights = sort_weighted();
  } else {
    std::sort(places_.begin(), places_.end());
    const auto last = std::unique(places_.begin(), places_.end());
    doubles_ = places_.end() - last;
    places_.erase(last, places_.end());
  }
  std::array<Index, 2> dropped{doubles_, self_loops_};
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, dropped.data(), 2, MPI_INT64_T, MPI_SUM, comm_));
  doubles_ = dropped[0];
  self_loops_ = dropped[1];
  rows.starts.assign(static_cast<std::size_t>(own_.size() + 1), 0);
  for (Index& place : places_) {
    ++rows.starts[static_cast<std::size_t>(place / nodes_ + 1)];
    place %= nodes_;
  }
  std::partial_sum(rows.starts.begin(), rows.starts.end(), rows.starts.begin());
  rows.neighbours = std::move(places_);
  return rows;
}

}  // namespace graph
}  // namespace poise
