#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "poise/objective/objective.hpp"
#include "support/problems.hpp"

namespace poise::testing_support {

/// A minibatch: the samples of `set` whose global number is `offset` modulo `every`.
inline Batch every_nth(const ProcessGrid& grid, const SampleSet& set, Index every, Index offset) {
  Batch batch{false, 0, {}};
  const Range mine = grid.samples(set.total);
  for (Index i = offset; i < set.total; i += every) {
    ++batch.total;
    if (mine.contains(i)) batch.local.push_back(i - mine.begin);
  }
  return batch;
}

/// A separate set with the samples of a minibatch.
inline SampleSet alone(const SampleSet& set, const Batch& batch) {
  SampleSet some{batch.total, static_cast<Index>(batch.local.size()), {}, {}};
  const auto copy = [&](const std::vector<double>& from, std::vector<double>& to) {
    const Index rows = set.count > 0 ? static_cast<Index>(from.size()) / set.count : 0;
    for (const Index i : batch.local)
      to.insert(to.end(), from.begin() + i * rows, from.begin() + (i + 1) * rows);
  };
  copy(set.features, some.features);
  copy(set.targets, some.targets);
  return some;
}

/// Loss and the whole gradient, on every rank.
struct Gradient {
  double loss = 0.0;
  std::vector<double> entries;
};
inline Gradient gradient_of(Objective& objective, Vec theta, const Batch& batch = {}) {
  const VecHandle gradient = duplicate(theta);
  const double loss = objective.value_and_gradient(theta, gradient.get(), batch).train.loss;
  return {loss, all_entries(gradient.get())};
}

inline double largest(const std::vector<double>& entries) {
  double size = 0.0;
  for (const double entry : entries) size = std::max(size, std::abs(entry));
  return size;
}

/// Largest difference of two vectors, relative to the largest entry of the second; 1 if one has a NaN.
inline double relative_distance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return 1.0;
  double distance = 0.0;
  for (std::size_t e = 0; e < a.size(); ++e) {
    const double difference = std::abs(a[e] - b[e]);
    if (!(difference <= distance)) distance = std::isfinite(difference) ? difference : 1e300;
  }
  return distance == 0.0 ? 0.0 : std::min(1.0, distance / largest(b));
}

/// Random numbers for all entries, biases too, the same on every grid.
inline void randomise(const ParameterLayout& layout, Vec vec, std::uint64_t seed, double scale) {
  const CounterRandom random(seed, Stream::test_direction);
  WriteArray values(vec);
  double* entry = values.data();
  for (Index i = layout.slice().begin; i < layout.slice().end; ++i)
    for (Index j = 0; j < layout.row_length(); ++j) *entry++ = scale * random.normal(i, j);
}

/// Order of the Taylor remainder of the objective's gradient at θ: 2 if the gradient is right.
inline double taylor_order(Objective& objective, const ParameterLayout& layout, Vec theta, double step = 4e-3,
                           const Batch& batch = {}) {
  const VecHandle gradient = duplicate(theta);
  const VecHandle scratch = duplicate(theta);
  const VecHandle direction = duplicate(theta);
  const VecHandle moved = duplicate(theta);
  randomise(layout, direction.get(), 99, 1.0);
  const double value = objective.value_and_gradient(theta, gradient.get(), batch).train.loss;
  double slope = 0.0;
  check(VecDot(gradient.get(), direction.get(), &slope));
  double remainder[2];
  for (int k = 0; k < 2; ++k, step /= 2.0) {
    check(VecWAXPY(moved.get(), step, direction.get(), theta));
    const double there = objective.value_and_gradient(moved.get(), scratch.get(), batch).train.loss;
    remainder[k] = std::abs(there - value - step * slope);
  }
  return std::log2(remainder[0] / remainder[1]);
}

}  // namespace poise::testing_support
