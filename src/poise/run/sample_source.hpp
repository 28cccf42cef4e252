#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "poise/graph/graph_rows.hpp"
#include "poise/io/dataset.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/validation_split.hpp"

namespace poise {
inline namespace run {

/// A graph on its nodes' way into a network: the rows of this rank's nodes, and the features of these nodes.
struct GraphNodes {
  GraphRows rows;
  std::vector<double> features;  ///< φ: d_f x own nodes, column-major
  Range feature_rows = {};       ///< Features::feature_rows: the numbers of these rows, without the constant
};

/// The samples of a run, as its data file has them: a data file with rows of samples, or a graph, whose
/// samples are the labelled nodes of a split. All methods that read are Collective on the world, and throw
/// bad_input as Dataset and GraphDataset do.
class SampleSource {
 public:
  enum class Set { train, validation, test };

  virtual ~SampleSource() = default;
  SampleSource() = default;
  SampleSource(const SampleSource&) = delete;
  SampleSource& operator=(const SampleSource&) = delete;

  [[nodiscard]] virtual const DatasetInfo& info() const = 0;
  /// Number of samples of a set on all ranks.
  [[nodiscard]] virtual Index total(Set set) const = 0;
  /// The samples of this rank; equal on the ranks of grid.feature().
  [[nodiscard]] virtual SplitSamples read(Set set) const = 0;
  /// The samples that feature maps are fitted to: the training samples, or all nodes of a graph.
  [[nodiscard]] virtual SampleBlock read_fitted() const { return read(Set::train).block; }
  [[nodiscard]] virtual std::vector<double> read_teacher() const { return {}; }
  /// A number of everything else that the equilibria depend on; the ranks' numbers are summed modulo 2^64.
  [[nodiscard]] virtual std::uint64_t mark() const { return 0; }
  /// The rows of this rank's nodes; null without a graph.
  [[nodiscard]] virtual const GraphRows* graph() const { return nullptr; }
  /// How the user gives the run validation samples, for messages.
  [[nodiscard]] virtual std::string way_to_validate() const = 0;
};

/// A number of the values and the row of a sample, for sums that do not depend on the order: mixed, so that
/// two changes do not cancel. `crc`: of the values. `set`: which set of the file.
[[nodiscard]] std::uint64_t mark_of(Index row, std::uint64_t set, std::uint32_t crc);

/// Collective on `comm`. The header of a run's data file: of a graph with -model graph, else of a data file.
[[nodiscard]] DatasetInfo read_data_header(MPI_Comm comm, const TrainSettings& settings,
                                           const std::string& path);

/// Collective on the world; `grid` must outlive the result. `path`: of the data file. Throws bad_input.
[[nodiscard]] std::unique_ptr<SampleSource> open_samples(const ProcessGrid& grid,
                                                         const TrainSettings& settings,
                                                         const std::string& path);

}  // namespace run
}  // namespace poise
