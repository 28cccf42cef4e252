#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "poise_data/graph.hpp"
#include "poise_data/node_numbers.hpp"

namespace poise::data {

/// Random splits of nodes into sets.
struct NodeSplits {
  double train_share = 0.0, validation_share = 0.0;
  Index splits = 0;
  std::uint64_t seed = 0;
};

/// Declares -splits -seed, and with `shares` -train_share -validation_share. Not collective.
[[nodiscard]] NodeSplits declare_node_splits(Options& options, bool shares = true);

/// Throws bad_input if the shares are more than 1 together. Not collective.
void require_shares(const NodeSplits& splits);

/// The set of a node in a split; nothing: none.
using SetOf = std::function<std::optional<NodeSet>(Index split, Index node)>;

/// Random sets of the same sizes in every split. Not collective.
[[nodiscard]] SetOf random_sets(const NodeSplits& splits, Index nodes);

/// The same for those nodes of a graph that are marked; the others are in no set.
[[nodiscard]] SetOf random_sets(const NodeSplits& splits, const std::vector<bool>& marked);

/// What a file says about sets.
struct SetsOfFile {
  Index splits = 0;
  SetOf set_of;
};

/// Reads a text table with the fields node, set (train, validation, test, or empty for none) and, for further
/// splits, further sets. `known`: nodes whose label or target is known. Serial. Throws bad_input that names
/// line, cause and cure.
[[nodiscard]] SetsOfFile read_sets(const std::string& path, const NodeNumbers& numbers,
                                   const std::vector<bool>& known);

}  // namespace poise::data
