#include "poise/graph/graph_header.hpp"

#include <fmt/format.h>

#include <optional>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"

namespace poise {
inline namespace graph {
namespace {

struct GraphHeader {
  std::optional<H5Shape> starts, neighbours, weights;
  std::optional<H5Value> directed;
  std::array<std::optional<H5Shape>, 3> masks;
};

GraphHeader read(const H5File& file) {
  const auto shape_of = [&](const std::string& name) -> std::optional<H5Shape> {
    if (!file.exists(name)) return std::nullopt;
    return file.shape(name);
  };
  GraphHeader header{.starts = shape_of(starts_name),
                     .neighbours = shape_of(neighbours_name),
                     .weights = shape_of(weights_name),
                     .directed = {},
                     .masks = {}};
  if (header.starts && file.has_attribute("/graph", "directed"))
    header.directed = file.attribute("/graph", "directed");
  for (std::size_t set = 0; set < header.masks.size(); ++set)
    header.masks[set] = shape_of(mask_name(static_cast<NodeSet>(set)));
  return header;
}

class GraphValidator {
 public:
  GraphValidator(const GraphHeader& header, const DatasetInfo& nodes) : header_(header), nodes_(nodes) {}

  [[nodiscard]] GraphInfo info() const {
    GraphInfo info;
    static_cast<DatasetInfo&>(info) = nodes_;
    info.nodes = nodes_.samples;
    if (!header_.starts) fail(std::string("has no data set ") + starts_name + " [nodes + 1], the row ends");
    if (!header_.neighbours) fail(std::string("has no data set ") + neighbours_name + " [entries]");
    require_list(starts_name, *header_.starts, true);
    require_list(neighbours_name, *header_.neighbours, true);
    if (header_.starts->dims[0] != info.nodes + 1)
      fail(
          fmt::format("{} has {} entries, /features has {} rows: it needs one entry more than there are "
                      "nodes",
                      starts_name, header_.starts->dims[0], info.nodes));
    info.entries = header_.neighbours->dims[0];
    info.weighted = header_.weights.has_value();
    if (info.weighted) require_weights();
    info.directed = directed();
    add_masks(info);
    return info;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw bad_input("data file '" + nodes_.path + "': " + what + " (data/README.md, \"Graphs\")");
  }

  void require_list(const std::string& name, const H5Shape& shape, bool whole) const {
    if (shape.dims.size() != 1)
      fail(fmt::format("{} has {} dimensions; it needs one", name, shape.dims.size()));
    if (shape.kind != H5Kind::integer && (whole || shape.kind != H5Kind::real))
      fail(name + " does not hold " + (whole ? "integers: store whole numbers" : "numbers: store them"));
  }

  void require_weights() const {
    require_list(weights_name, *header_.weights, false);
    if (header_.weights->dims != header_.neighbours->dims)
      fail(fmt::format("{} has {} entries, {} has {}: both need one an entry of the rows", weights_name,
                       header_.weights->dims[0], neighbours_name, header_.neighbours->dims[0]));
  }

  [[nodiscard]] bool directed() const {
    if (!header_.directed) return false;
    if (const auto* flag = std::get_if<bool>(&*header_.directed)) return *flag;
    const auto* number = std::get_if<Index>(&*header_.directed);
    if (number == nullptr || (*number != 0 && *number != 1))
      fail("the attribute 'directed' of /graph is neither 0 nor 1");
    return *number == 1;
  }

  void add_masks(GraphInfo& info) const {
    std::optional<Index> splits;
    for (std::size_t set = 0; set < header_.masks.size(); ++set) {
      if (!header_.masks[set]) continue;
      const H5Shape& shape = *header_.masks[set];
      const std::string name = mask_name(static_cast<NodeSet>(set));
      if (shape.kind != H5Kind::integer) fail(name + " does not hold truth values: store 0 and 1");
      if (shape.dims.empty() || shape.dims.size() > 2 || shape.dims.back() != info.nodes)
        fail(fmt::format("{} is not [splits, nodes] or [nodes] of {} nodes", name, info.nodes));
      const Index rows = shape.dims.size() == 1 ? 1 : shape.dims[0];
      if (rows < 1) fail(name + " has no splits: it needs at least one row, or leave it out");
      if (splits.value_or(rows) != rows)
        fail(fmt::format("{} has {} splits, another mask has {}: all need the same", name, rows, *splits));
      splits = rows;
      info.has_mask[set] = true;
    }
    info.splits = splits.value_or(1);
  }

  const GraphHeader& header_;
  const DatasetInfo& nodes_;
};

}  // namespace

std::string mask_name(NodeSet set) {
  return std::string("/masks/") + node_set_names[static_cast<std::size_t>(set)];
}

GraphInfo read_graph_header(const H5File& file, const DatasetInfo& nodes) {
  const GraphHeader header = read(file);
  GraphInfo info;
  agree(file.comm(), [&] { info = GraphValidator(header, nodes).info(); });
  return info;
}

}  // namespace graph
}  // namespace poise
