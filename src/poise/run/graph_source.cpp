#include "poise/run/graph_source.hpp"

#include <algorithm>
#include <numeric>
#include <span>

#include "poise/base/check.hpp"
#include "poise/io/checksum.hpp"

namespace poise {
inline namespace run {

// The order of SampleSource::Set is the order of NodeSet.
GraphSource::GraphSource(const ProcessGrid& grid, const std::string& path, Index split)
    : dataset_(grid.sample(), path),
      rows_(dataset_.read_own_rows()),
      nodes_(dataset_.read_nodes(rows_.own)),
      masks_(dataset_.read_masks(split, rows_.own)) {
  for (std::size_t set = 0; set < totals_.size(); ++set)
    totals_[set] = std::accumulate(masks_[set].begin(), masks_[set].end(), Index{0});
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, totals_.data(), 3, MPI_INT64_T, MPI_SUM, grid.sample()));
}

SplitSamples GraphSource::read(Set set) const {
  const std::vector<std::uint8_t>& mask = masks_[static_cast<std::size_t>(set)];
  SplitSamples samples;
  SampleBlock& block = samples.block;
  block = {.inputs = nodes_.inputs, .outputs = nodes_.outputs};
  for (Index node = 0; node < nodes_.count; ++node) {
    if (mask[static_cast<std::size_t>(node)] == 0) continue;
    const auto features = std::span(nodes_.features).subspan(node * block.inputs, block.inputs);
    block.features.insert(block.features.end(), features.begin(), features.end());
    if (info().classification) {
      const Index label = nodes_.labels[static_cast<std::size_t>(node)];
      block.labels.push_back(label);
      block.targets.resize(block.targets.size() + static_cast<std::size_t>(block.outputs), 0.0);
      *(block.targets.end() - block.outputs + label) = 1.0;
    } else {
      const auto targets = std::span(nodes_.targets).subspan(node * block.outputs, block.outputs);
      block.targets.insert(block.targets.end(), targets.begin(), targets.end());
    }
    samples.rows.push_back(rows_.own.begin + node);
    ++block.count;
  }
  samples.set = static_cast<std::uint64_t>(set);
  return samples;
}

std::uint64_t GraphSource::mark() const {
  constexpr std::uint64_t of_nodes = 3, of_rows = 4;
  std::uint64_t sum = 0;
  std::vector<double> row;
  for (Index node = 0; node < nodes_.count; ++node) {
    const std::span features(nodes_.features);
    sum += mark_of(rows_.own.begin + node, of_nodes,
                   crc32_of(features.subspan(node * nodes_.inputs, nodes_.inputs)));
    const auto first = rows_.starts[static_cast<std::size_t>(node)];
    const auto last = rows_.starts[static_cast<std::size_t>(node) + 1];
    row.assign(rows_.neighbours.begin() + first, rows_.neighbours.begin() + last);
    if (!rows_.weights.empty())
      row.insert(row.end(), rows_.weights.begin() + first, rows_.weights.begin() + last);
    sum += mark_of(rows_.own.begin + node, of_rows, crc32_of(row));
  }
  return sum;
}

}  // namespace run
}  // namespace poise
