#include "poise/model/parameter_layout.hpp"

#include <cmath>
#include <limits>
#include <numeric>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"

namespace poise {
inline namespace model {

ParameterLayout::ParameterLayout(const ProcessGrid& grid, Index m, Index q)
    : ParameterLayout(grid, m, q, {{.name = "A", .columns = m}}) {}

ParameterLayout::ParameterLayout(const ProcessGrid& grid, Index m, Index q,
                                 std::vector<ParameterBlock> blocks, std::string matrix_type)
    : grid_(grid),
      m_(m),
      q_(q),
      blocks_(std::move(blocks)),
      matrix_type_(std::move(matrix_type)),
      slice_offsets_(grid.world_offsets(m)),
      block_offsets_(grid.feature_offsets(m)) {
  for (ParameterBlock& block : blocks_) {
    block.offset = readout_offset_;
    readout_offset_ += block.columns;
  }
  const auto rank = static_cast<std::size_t>(grid.rank());
  const auto feature = static_cast<std::size_t>(grid.feature_index());
  slice_ = {slice_offsets_[rank], slice_offsets_[rank + 1]};
  block_ = {block_offsets_[feature], block_offsets_[feature + 1]};
}

const ParameterBlock& ParameterLayout::block_of(const std::string& name) const {
  for (const ParameterBlock& block : blocks_)
    if (block.name == name) return block;
  throw failure("the parameters have no block " + name);
}

void ParameterLayout::initialise(Vec theta, std::uint64_t seed, double scale_a, double scale_b) const {
  std::vector<CounterRandom> random;
  for (std::size_t k = 0; k < blocks_.size(); ++k)
    random.emplace_back(seed, k == 0 ? Stream::weights_a : more_weights(k));
  const CounterRandom b(seed, Stream::weights_b);
  const double scale_readout = scale_b / std::sqrt(static_cast<double>(m_));
  WriteArray values(theta);
  double* entry = values.data();
  for (Index i = slice_.begin; i < slice_.end; ++i) {
    for (std::size_t k = 0; k < blocks_.size(); ++k)
      for (Index j = 0; j < blocks_[k].columns; ++j)
        *entry++ = blocks_[k].scale == 0.0 ? 0.0 : scale_a * blocks_[k].scale * random[k].normal(i, j);
    for (Index c = 0; c < q_; ++c) *entry++ = scale_readout * b.normal(c, i);
  }
}

std::vector<int> ParameterLayout::counts(Index columns) const {
  std::vector<int> counts;
  const auto first = static_cast<std::size_t>(grid_.feature_index()) * grid_.sample_ranks();
  for (std::size_t s = 0; s < static_cast<std::size_t>(grid_.sample_ranks()); ++s) {
    const Index count = (slice_offsets_[first + s + 1] - slice_offsets_[first + s]) * columns;
    if (count > std::numeric_limits<int>::max() || block_.size() * columns > std::numeric_limits<int>::max())
      throw failure("a row block of the parameters exceeds 2^31 entries: raise -grid_feature_ranks");
    counts.push_back(static_cast<int>(count));
  }
  return counts;
}

void ParameterLayout::gather_block(const double* slice, Index columns, double* block) const {
  static const LogEvent event("ParamGather");
  const auto scope = event.begin();
  const auto sizes = counts(columns);
  std::vector<int> offsets(sizes.size());
  std::exclusive_scan(sizes.begin(), sizes.end(), offsets.begin(), 0);
  check_mpi(MPI_Allgatherv(slice, sizes[static_cast<std::size_t>(grid_.sample_index())], MPI_DOUBLE, block,
                           sizes.data(), offsets.data(), MPI_DOUBLE, grid_.sample()));
}

void ParameterLayout::reduce_block(const double* block, Index columns, double* slice) const {
  static const LogEvent event("GradientReduce");
  const auto scope = event.begin();
  check_mpi(MPI_Reduce_scatter(block, slice, counts(columns).data(), MPI_DOUBLE, MPI_SUM, grid_.sample()));
}

void transpose(Index rows, Index cols, const double* in, double* out) {
  for (Index j = 0; j < cols; ++j)
    for (Index i = 0; i < rows; ++i) out[i * cols + j] = in[j * rows + i];
}

}  // namespace model
}  // namespace poise
