#pragma once

#include <string>

#include "poise/graph/graph_dataset.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
inline namespace graph {

inline constexpr const char* starts_name = "/graph/indptr";
inline constexpr const char* neighbours_name = "/graph/indices";
inline constexpr const char* weights_name = "/graph/weights";

/// "/masks/train".
[[nodiscard]] std::string mask_name(NodeSet set);

/// Collective on the communicator of `file`. What the header of a graph file says, of which `nodes` is known.
/// Throws bad_input, the same on every rank, unless it conforms to the schema.
[[nodiscard]] GraphInfo read_graph_header(const H5File& file, const DatasetInfo& nodes);

}  // namespace graph
}  // namespace poise
