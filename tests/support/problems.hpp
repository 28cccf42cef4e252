#pragma once

#include <petscsys.h>

#include <vector>

#include "poise/base/random.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/objective/objective.hpp"

namespace poise::testing_support {

/// All process grids that the ranks of this test allow.
inline std::vector<int> feature_rank_choices() {
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  std::vector<int> choices;
  for (int f = 1; f <= size; ++f)
    if (size % f == 0) choices.push_back(f);
  return choices;
}

/// The rows of this rank's feature block, of `d` rows.
inline Range local_rows(const ProcessGrid& grid, Index d) {
  const auto offsets = grid.feature_offsets(d);
  const auto f = static_cast<std::size_t>(grid.feature_index());
  return {offsets[f], offsets[f + 1]};
}

/// A seeded problem whose entries depend only on global indices, so that it is the same on every grid. `d`:
/// number of features; 0: as many as states.
inline SampleSet random_samples(const ParameterLayout& layout, const Loss* loss, Index n, std::uint64_t seed,
                                Index d = 0) {
  const CounterRandom features(seed, Stream::synthetic_inputs);
  const CounterRandom targets(seed, Stream::synthetic_noise);
  const Range columns = layout.grid().samples(n);
  const Range rows = local_rows(layout.grid(), d > 0 ? d : layout.width());
  const Index q = layout.outputs();
  SampleSet set{n, columns.size(), {}, {}};
  for (Index i = columns.begin; i < columns.end; ++i) {
    for (Index k = rows.begin; k < rows.end; ++k) set.features.push_back(features.normal(i, k));
    const auto label = static_cast<Index>(targets.uniform(i) * static_cast<double>(q == 1 ? 2 : q));
    for (Index c = 0; c < q; ++c) {
      if (loss == squared_loss()) set.targets.push_back(targets.normal(i, c + 1));
      if (loss == logistic_loss()) set.targets.push_back(static_cast<double>(label));
      if (loss == cross_entropy_loss()) set.targets.push_back(c == label ? 1.0 : 0.0);
    }
  }
  return set;
}

inline Problem random_problem(const ParameterLayout& layout, const Loss* loss, Index n, Index n_test = 0,
                              Index d = 0) {
  return {loss, true, layout.outputs(), random_samples(layout, loss, n, 11, d),
          random_samples(layout, loss, n_test, 12, d)};
}

/// All entries of θ on every rank, natural order.
inline std::vector<double> all_entries(Vec vec) {
  VecScatter scatter = nullptr;
  Vec all = nullptr;
  check(VecScatterCreateToAll(vec, &scatter, &all));
  check(VecScatterBegin(scatter, vec, all, INSERT_VALUES, SCATTER_FORWARD));
  check(VecScatterEnd(scatter, vec, all, INSERT_VALUES, SCATTER_FORWARD));
  std::vector<double> entries;
  {
    const ReadArray values(all);
    entries.assign(values.span().begin(), values.span().end());
  }
  check(VecScatterDestroy(&scatter));
  check(VecDestroy(&all));
  return entries;
}

}  // namespace poise::testing_support
