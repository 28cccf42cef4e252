#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise/base/error.hpp"
#include "poise/base/process_grid.hpp"

namespace poise::data {

/// The nodes of a graph by the numbers that files have for them.
class NodeNumbers {
 public:
  /// Node i has the number first + i. `why`: why there is no node with another number, and the cure; the end
  /// of a message.
  NodeNumbers(Index nodes, Index first, std::string why)
      : nodes_(nodes), first_(first), why_(std::move(why)) {}
  /// Node i has the number numbers[i]; they are different.
  NodeNumbers(const std::vector<Index>& numbers, std::string why);

  [[nodiscard]] Index count() const { return nodes_; }
  /// The node with a number; -1 if there is none.
  [[nodiscard]] Index find(Index number) const;
  /// The error of a number that no node has; `at` is the beginning of the message.
  [[nodiscard]] Error missing(Index number, const std::string& at) const;

 private:
  Index nodes_ = 0, first_ = 0;
  std::vector<std::pair<Index, Index>> places_;  // numbers with their nodes, sorted; empty: in order
  std::string why_;
};

}  // namespace poise::data
