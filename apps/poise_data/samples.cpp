#include "poise_data/samples.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "poise/base/error.hpp"
#include "poise/base/option_rules.hpp"
#include "poise/base/random.hpp"

namespace poise::data {
namespace {

/// The `wanted` rows with the smallest random numbers of the seed.
void draw(std::vector<Index> rows, Index wanted, std::uint64_t seed, std::vector<bool>& is_test) {
  const CounterRandom random(seed, Stream::test_split);
  std::vector<std::pair<double, Index>> drawn;
  for (const Index row : rows) drawn.emplace_back(random.uniform(static_cast<std::uint64_t>(row)), row);
  std::nth_element(drawn.begin(), drawn.begin() + wanted, drawn.end());
  for (Index i = 0; i < wanted; ++i)
    is_test[static_cast<std::size_t>(drawn[static_cast<std::size_t>(i)].second)] = true;
}

/// Test rows of each class: shares rounded down, then one more where the rest is largest; the only row of a
/// class is taken last, for a class without a training sample cannot be learned.
std::vector<Index> shares(const std::vector<Index>& counts, double fraction, Index wanted) {
  std::vector<Index> taken;
  std::vector<std::pair<double, std::size_t>> rests;
  for (std::size_t c = 0; c < counts.size(); ++c) {
    const double share = fraction * static_cast<double>(counts[c]);
    taken.push_back(static_cast<Index>(share));
    rests.emplace_back(std::floor(share) - share, c);
  }
  std::sort(rests.begin(), rests.end());
  Index missing = wanted - std::accumulate(taken.begin(), taken.end(), Index{0});
  for (const Index kept : {1, 0})
    for (const auto& [rest, c] : rests)
      if (missing > 0 && rest < 0.0 && taken[c] + kept < counts[c]) ++taken[c], --missing;
  return taken;
}

void draw_by_class(const std::vector<Index>& labels, Index wanted, const TestSplit& split,
                   std::vector<bool>& is_test) {
  std::vector<std::vector<Index>> rows(
      static_cast<std::size_t>(1 + *std::max_element(labels.begin(), labels.end())));
  for (std::size_t i = 0; i < labels.size(); ++i)
    rows[static_cast<std::size_t>(labels[i])].push_back(static_cast<Index>(i));
  std::vector<Index> counts;
  for (const auto& of_class : rows) counts.push_back(static_cast<Index>(of_class.size()));
  const std::vector<Index> taken = shares(counts, split.fraction, wanted);
  for (std::size_t c = 0; c < rows.size(); ++c) draw(rows[c], taken[c], split.seed, is_test);
}

}  // namespace

TestSplit declare_test_split(Options& options) {
  const Options::Category category(options, "test");
  TestSplit split;
  split.fraction =
      options.real("test_fraction", 0, {0, 0.99}, "share of the rows drawn at random as test set");
  split.rows = options.integer("test_rows", 0, {0}, "number of rows at the end of the file kept as test set");
  split.stratify = options.flag("stratify", true, "with -test_fraction: draw this share of every class");
  split.seed = static_cast<std::uint64_t>(options.integer("seed", 0, {0}, "seed of the random numbers"));
  if (split.fraction > 0 && split.rows > 0)
    throw bad_input("options -test_fraction and -test_rows exclude each other: give one");
  const OptionCondition drawn{"test_fraction", {"0"}, true};
  require_effect(options, {{"stratify", {drawn}}, {"seed", {drawn}}});
  return split;
}

std::vector<bool> choose_test_rows(Index rows, const std::vector<Index>& labels, const TestSplit& split) {
  const Index held_out =
      split.rows > 0 ? split.rows : std::llround(split.fraction * static_cast<double>(rows));
  if (held_out >= rows)
    throw bad_input("a test set of " + std::to_string(held_out) + " out of " + std::to_string(rows) +
                    " rows leaves none for training: choose a smaller -test_rows or -test_fraction");
  std::vector<bool> is_test(static_cast<std::size_t>(rows), false);
  if (split.rows > 0) {
    std::fill(is_test.end() - held_out, is_test.end(), true);
  } else if (split.stratify && !labels.empty()) {
    draw_by_class(labels, held_out, split, is_test);
  } else {
    std::vector<Index> all(static_cast<std::size_t>(rows));
    std::iota(all.begin(), all.end(), Index{0});
    draw(std::move(all), held_out, split.seed, is_test);
  }
  return is_test;
}

void split_samples(DatasetContent& content, const TestSplit& split) {
  if (!split.is_given()) return;
  const SampleBlock all = std::move(content.train);
  const std::vector<bool> is_test = choose_test_rows(all.count, all.labels, split);
  content.train = content.test = {};
  for (SampleBlock* part : {&content.train, &content.test}) {
    part->inputs = all.inputs;
    part->outputs = all.outputs;
  }
  const auto append = [](std::vector<double>& to, const std::vector<double>& from, Index row, Index width) {
    to.insert(to.end(), from.begin() + row * width, from.begin() + (row + 1) * width);
  };
  for (Index row = 0; row < all.count; ++row) {
    SampleBlock& part = is_test[static_cast<std::size_t>(row)] ? content.test : content.train;
    append(part.features, all.features, row, all.inputs);
    if (all.labels.empty()) {
      append(part.targets, all.targets, row, all.outputs);
    } else {
      part.labels.push_back(all.labels[static_cast<std::size_t>(row)]);
    }
    ++part.count;
  }
}

}  // namespace poise::data
