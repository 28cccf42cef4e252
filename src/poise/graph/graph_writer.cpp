#include "poise/graph/graph_writer.hpp"

#include "poise/base/check.hpp"
#include "poise/base/pieces.hpp"
#include "poise/graph/graph_header.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
inline namespace graph {
namespace {

constexpr int compression = 4;                     // sorted whole numbers shrink to a third
constexpr Index entries_at_once = Index{1} << 22;  // HDF5 copies what it filters

GraphInfo completed(MPI_Comm comm, GraphInfo info, const GraphRows& rows) {
  info.nodes = info.samples = rows.nodes;
  info.validation_samples = info.test_samples = 0;
  info.directed = rows.directed;
  int weighted = rows.weights.empty() ? 0 : 1;  // a rank without entries has no weights
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &weighted, 1, MPI_INT, MPI_MAX, comm));
  info.weighted = weighted == 1;
  info.entries = rows.entries();
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &info.entries, 1, MPI_INT64_T, MPI_SUM, comm));
  info.answers_packing = {};
  if (info.classification) info.answers_packing.missing = {-1};  // becomes the attribute _FillValue
  return info;
}

}  // namespace

GraphWriter::GraphWriter(MPI_Comm comm, GraphInfo info, const GraphRows& rows)
    : comm_(comm),
      info_(completed(comm, std::move(info), rows)),
      own_(rows.own),
      nodes_(comm, info_, graph_schema) {
  Index first = 0;
  const Index own = rows.entries();
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  check_mpi(MPI_Exscan(&own, &first, 1, MPI_INT64_T, MPI_SUM, comm));
  write_rows(rows, rank == 0 ? 0 : first);
}

void GraphWriter::write_rows(const GraphRows& rows, Index first) {
  H5File& file = nodes_.file();
  const bool last = own_.end == info_.nodes && own_.size() > 0;
  std::vector<Index> starts(rows.starts.begin(), rows.starts.end() - (last ? 0 : 1));
  for (Index& start : starts) start += first;
  const Range own_starts{own_.begin, own_.end + (last ? 1 : 0)};
  file.write_rows(starts_name, {info_.nodes + 1}, own_starts, std::span<const Index>(starts), compression);
  file.set_attribute(starts_name, axes_attribute, std::string("row_end"));
  file.set_attribute("/graph", "directed", Index{info_.directed ? 1 : 0});
  file.create_rows(neighbours_name, {info_.entries}, H5Kind::integer, compression);
  file.set_attribute(neighbours_name, axes_attribute, std::string("entry"));
  if (info_.weighted) {
    file.create_rows(weights_name, {info_.entries}, H5Kind::real);
    file.set_attribute(weights_name, axes_attribute, std::string("entry"));
  }
  for_pieces(comm_, {first, first + rows.entries()}, entries_at_once, [&](Range part) {
    const auto begin = static_cast<std::size_t>(part.begin - first);
    const auto count = static_cast<std::size_t>(part.size());
    file.fill_rows(neighbours_name, part, std::span(rows.neighbours).subspan(begin, count));
    if (info_.weighted) file.fill_rows(weights_name, part, std::span(rows.weights).subspan(begin, count));
  });
}

void GraphWriter::write_mask(NodeSet set, Index splits, const std::vector<std::uint8_t>& own) {
  const std::string name = mask_name(set);
  nodes_.file().write_columns(name, splits, info_.nodes, own_, std::span(own), compression);
  nodes_.file().set_attribute(name, axes_attribute, std::string("split node"));
}

}  // namespace graph
}  // namespace poise
