#include "poise_data/samples.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "poise/base/error.hpp"
#include "poise/base/random.hpp"

namespace poise {

TestSplit declare_test_split(Options& options) {
  TestSplit split;
  split.fraction =
      options.real("test_fraction", 0, {0, 0.99}, "share of the rows drawn at random as test set");
  split.rows = options.integer("test_rows", 0, {0}, "number of rows at the end of the file kept as test set");
  split.seed = static_cast<std::uint64_t>(options.integer("seed", 0, {0}, "seed of the random numbers"));
  if (split.fraction > 0 && split.rows > 0)
    throw bad_input("options -test_fraction and -test_rows exclude each other: give one");
  return split;
}

std::vector<bool> choose_test_rows(Index rows, const TestSplit& split) {
  const Index held_out =
      split.rows > 0 ? split.rows : std::llround(split.fraction * static_cast<double>(rows));
  if (held_out >= rows)
    throw bad_input("a test set of " + std::to_string(held_out) + " out of " + std::to_string(rows) +
                    " rows leaves none for training: choose a smaller -test_rows or -test_fraction");
  std::vector<bool> is_test(static_cast<std::size_t>(rows), false);
  if (split.rows > 0) {
    std::fill(is_test.end() - held_out, is_test.end(), true);
    return is_test;
  }
  const CounterRandom random(split.seed, Stream::test_split);
  std::vector<std::pair<double, Index>> drawn;
  for (Index row = 0; row < rows; ++row)
    drawn.emplace_back(random.uniform(static_cast<std::uint64_t>(row)), row);
  std::nth_element(drawn.begin(), drawn.begin() + held_out, drawn.end());
  for (Index i = 0; i < held_out; ++i)
    is_test[static_cast<std::size_t>(drawn[static_cast<std::size_t>(i)].second)] = true;
  return is_test;
}

DatasetContent split_samples(const SampleBlock& all, const TestSplit& split) {
  const std::vector<bool> is_test = choose_test_rows(all.count, split);
  DatasetContent content;
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
  return content;
}

Index declare_classes(Options& options) {
  return options.integer("classes", 0, {0, static_cast<double>(most_classes)},
                         "number of classes (0: the largest label + 1)");
}

Index to_label(double value, Index classes, const std::string& where) {
  if (std::floor(value) != value || value < 0)
    throw bad_input(where + ": the label " + to_text(value) +
                    " is not an integer from 0 on: number the classes 0, 1, 2, ...");
  const Index limit = classes > 0 ? classes : most_classes;
  if (value >= static_cast<double>(limit))
    throw bad_input(where + ": the label " + to_text(value) + " is not below " + std::to_string(limit) +
                    (classes > 0 ? ", the number of classes (-classes)"
                                 : ", the most classes there may be: do the labels stand elsewhere?"));
  return static_cast<Index>(value);
}

Index count_classes(const std::vector<Index>& labels) {
  return 1 + *std::max_element(labels.begin(), labels.end());
}

}  // namespace poise
