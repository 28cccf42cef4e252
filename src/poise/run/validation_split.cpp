#include "poise/run/validation_split.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/base/options.hpp"
#include "poise/base/text.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
namespace {

/// Collective on the ranks of grid.sample(). Sums every number over these ranks.
void add_up(const ProcessGrid& grid, std::vector<Index>& numbers) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, numbers.data(), mpi_count(static_cast<Index>(numbers.size())),
                          MPI_INT64_T, MPI_SUM, grid.sample()));
}

/// The group of each row: its class, or 0 for a regression.
std::vector<Index> groups_of(const Dataset& dataset, Range rows) {
  if (dataset.info().classification) return dataset.read_train_labels(rows);
  return std::vector<Index>(static_cast<std::size_t>(rows.size()), 0);
}

}  // namespace

ValidationSplit::ValidationSplit(const ProcessGrid& grid, const Dataset& dataset, Index rows, double fraction,
                                 std::uint64_t seed)
    : grid_(grid), dataset_(dataset), rows_(rows), order_(rows, seed, Stream::validation_split) {
  const Range own = grid.samples(rows);
  if (fraction == 0.0) {
    train_ = {own.begin, own};
    return;
  }
  const std::vector<Index> groups = groups_of(dataset, own);
  find_thresholds(groups, fraction);
  std::vector<bool> held_out;
  for (Index i = 0; i < own.size(); ++i)
    held_out.push_back(is_held_out(own.begin + i, groups[static_cast<std::size_t>(i)]));
  train_ = find_part(held_out, false);
  validation_ = find_part(held_out, true);
}

/// Bisects for each group at once: places are different numbers in [0, n), so that some threshold has exactly
/// as many rows of the group below it as are wanted.
void ValidationSplit::find_thresholds(const std::vector<Index>& groups, double fraction) {
  const auto count = static_cast<std::size_t>(dataset_.info().classification ? dataset_.info().outputs : 1);
  const Range own = grid_.samples(rows_);
  std::vector<Index> places, sizes(count, 0), wanted;
  for (Index row = own.begin; row < own.end; ++row) places.push_back(order_.place(0, row));
  for (const Index group : groups) ++sizes[static_cast<std::size_t>(group)];
  add_up(grid_, sizes);
  for (const Index size : sizes) wanted.push_back(std::llround(fraction * static_cast<double>(size)));
  require_samples(sizes, wanted, fraction);
  validation_count_ = std::accumulate(wanted.begin(), wanted.end(), Index{0});

  std::vector<Index> low(count, 0), high(count, rows_);  // the threshold is in [low, high]
  for (Index width = rows_; width > 0; width /= 2) {
    std::vector<Index> below(count, 0);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto group = static_cast<std::size_t>(groups[i]);
      if (places[i] < std::midpoint(low[group], high[group])) ++below[group];
    }
    add_up(grid_, below);
    for (std::size_t group = 0; group < count; ++group) {
      const Index middle = std::midpoint(low[group], high[group]);
      if (below[group] < wanted[group])
        low[group] = std::min(middle + 1, high[group]);
      else
        high[group] = middle;
    }
  }
  thresholds_ = std::move(high);
}

void ValidationSplit::require_samples(const std::vector<Index>& sizes, const std::vector<Index>& held_out,
                                      double fraction) const {
  const std::string where = fmt::format("-validation_fraction {}: ", to_text(fraction));
  const bool classes = dataset_.info().classification;
  for (std::size_t group = 0; group < sizes.size(); ++group) {
    if (sizes[group] == 0) continue;  // a class without samples is reported elsewhere
    const bool none = held_out[group] == 0;
    if (!none && held_out[group] < sizes[group]) continue;
    const std::string of =
        classes ? "of class " + class_text(static_cast<Index>(group), dataset_.info().class_names) : "";
    throw usage(fmt::format("{}none of the {} {} would be a {} sample; choose a {} fraction{}", where,
                            plural(sizes[group], "training sample"), of, none ? "validation" : "training",
                            none ? "larger" : "smaller",
                            classes ? ", leave this class out, or put a validation set into the data file "
                                      "(/validation_features, /validation_labels)"
                                    : ""));
  }
}

ValidationSplit::Part ValidationSplit::find_part(const std::vector<bool>& held_out, bool validation) const {
  const Range own = grid_.samples(rows_);
  const Index total = validation ? validation_count_ : train_count();
  const int ranks = grid_.sample_ranks();
  const Index mine = std::count(held_out.begin(), held_out.end(), validation);
  Index before = 0;  // samples of the set on the ranks before this one
  check_mpi(MPI_Exscan(&mine, &before, 1, MPI_INT64_T, MPI_SUM, grid_.sample()));
  if (grid_.sample_index() == 0) before = 0;  // MPI_Exscan leaves it undefined there
  // The row at which the part of each rank begins; the last number ends the last part.
  std::vector<Index> begins(static_cast<std::size_t>(ranks) + 1, rows_);
  int rank = 0;
  for (Index i = 0, number = before; i < own.size(); ++i) {
    if (held_out[static_cast<std::size_t>(i)] != validation) continue;
    while (rank < ranks && block_range(total, ranks, rank).begin < number) ++rank;
    for (; rank < ranks && block_range(total, ranks, rank).begin == number; ++rank)
      begins[static_cast<std::size_t>(rank)] = own.begin + i;
    ++number;
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, begins.data(), ranks + 1, MPI_INT64_T, MPI_MIN, grid_.sample()));
  const auto index = static_cast<std::size_t>(grid_.sample_index());
  return {grid_.samples(total).begin, {begins[index], begins[index + 1]}};
}

SplitSamples ValidationSplit::read(const Part& part, bool validation) const {
  SplitSamples found{dataset_.read_train(part.rows), {}};
  SampleBlock& block = found.block;
  const auto move_column = [](std::vector<double>& values, Index width, Index from, Index to) {
    if (from != to) std::copy_n(values.begin() + from * width, width, values.begin() + to * width);
  };
  for (Index i = 0; i < block.count; ++i) {
    const Index group = block.labels.empty() ? 0 : block.labels[static_cast<std::size_t>(i)];
    if (validation_count_ > 0 && is_held_out(part.rows.begin + i, group) != validation) continue;
    const auto place = static_cast<Index>(found.rows.size());
    move_column(block.features, block.inputs, i, place);
    move_column(block.targets, block.outputs, i, place);
    if (!block.labels.empty()) block.labels[static_cast<std::size_t>(place)] = group;
    found.rows.push_back(part.rows.begin + i);
  }
  block.begin = part.first;
  block.count = static_cast<Index>(found.rows.size());
  block.features.resize(static_cast<std::size_t>(block.count * block.inputs));
  block.targets.resize(static_cast<std::size_t>(block.count * block.outputs));
  if (!block.labels.empty()) block.labels.resize(static_cast<std::size_t>(block.count));
  return found;
}

}  // namespace run
}  // namespace poise
