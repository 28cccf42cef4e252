#include "poise/theory/sampled_slopes.hpp"

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/solve/equilibrium_solver.hpp"

namespace poise {
inline namespace theory {
namespace {

/// Slopes of the chosen samples of this rank: m_f x p.
std::vector<double> solve_own(const ParameterLayout& layout, const Pointwise& map, const SampleSet& set,
                              const std::vector<Index>& local, Index count, Outcome& outcome) {
  const auto p = static_cast<Index>(local.size());
  const Index rows = map.local_states();
  const Index inputs = map.local_features();
  // A rank without samples also makes its solver, so that every rank counts the options as used.
  EquilibriumSolver solver(layout.grid().feature(), map, std::max<Index>(1, p), 1e-12, count);
  std::vector<double> slopes(static_cast<std::size_t>(rows * p), 1.0);
  if (p == 0) return slopes;
  std::vector<double> features(static_cast<std::size_t>(inputs * p)), injection(slopes.size());
  for (Index k = 0; k < p; ++k)
    std::copy_n(set.features.data() + local[k] * inputs, inputs, features.data() + k * inputs);
  map.inject(p, features.data(), injection.data());
  std::vector<double> z = injection;
  outcome = solver.solve(p, injection.data(), z.data(), map.linear() ? nullptr : slopes.data());
  return slopes;
}

}  // namespace

SampledSlopes sample_slopes(const ParameterLayout& layout, const Pointwise& map, const SampleSet& set,
                            Index count) {
  const ProcessGrid& grid = layout.grid();
  SampledSlopes result;
  count = std::min(count, set.total);
  const Range own = grid.samples(set.total);
  std::vector<Index> local;
  for (Index k = 0; k < count; ++k) {
    const Index sample = k * set.total / count;
    result.samples.push_back(sample);
    if (own.contains(sample)) local.push_back(sample - own.begin);
  }
  const std::vector<double> solved = solve_own(layout, map, set, local, count, result.outcome);
  require_on_all(grid.world(), result.outcome);

  const Index rows = layout.block().size();
  const Index skip = layout.slice().begin - layout.block().begin;
  result.mean.assign(static_cast<std::size_t>(layout.slice().size()), 0.0);
  std::vector<double> block(static_cast<std::size_t>(rows));
  Index next = 0;  // samples of this rank come in order
  for (const Index sample : result.samples) {
    int owner = 0;
    while (!block_range(set.total, grid.sample_ranks(), owner).contains(sample)) ++owner;
    if (owner == grid.sample_index()) std::copy_n(solved.data() + rows * next++, rows, block.data());
    check_mpi(MPI_Bcast(block.data(), mpi_count(rows), MPI_DOUBLE, owner, grid.sample()));
    result.slopes.emplace_back(block.begin() + skip, block.begin() + skip + layout.slice().size());
    for (std::size_t i = 0; i < result.mean.size(); ++i)
      result.mean[i] += result.slopes.back()[i] / static_cast<double>(count);
  }
  return result;
}

}  // namespace theory
}  // namespace poise
