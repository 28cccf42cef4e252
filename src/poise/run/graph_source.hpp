#pragma once

#include <array>
#include <string>
#include <vector>

#include "poise/graph/graph_dataset.hpp"
#include "poise/run/sample_source.hpp"

namespace poise {
inline namespace run {

/// The labelled nodes of a split of a graph file. Every rank holds the graph's rows, and features and answers
/// of its own nodes.
class GraphSource final : public SampleSource {
 public:
  /// Collective on the world; `grid` must outlive it. `split`: from 0. Throws bad_input.
  GraphSource(const ProcessGrid& grid, const std::string& path, Index split);

  [[nodiscard]] const DatasetInfo& info() const override { return dataset_.info(); }
  [[nodiscard]] Index total(Set set) const override { return totals_[static_cast<std::size_t>(set)]; }
  [[nodiscard]] SplitSamples read(Set set) const override;
  [[nodiscard]] SampleBlock read_fitted() const override { return nodes_; }
  [[nodiscard]] std::uint64_t mark() const override;
  [[nodiscard]] const GraphRows* graph() const override { return &rows_; }
  [[nodiscard]] std::string way_to_validate() const override { return "a graph file with /masks/validation"; }

 private:
  GraphDataset dataset_;
  GraphRows rows_;
  SampleBlock nodes_;
  NodeMasks masks_;
  std::array<Index, 3> totals_{};
};

}  // namespace run
}  // namespace poise
