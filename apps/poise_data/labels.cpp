#include "poise_data/labels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "poise/base/error.hpp"
#include "poise/base/warn.hpp"
#include "poise/io/class_counts.hpp"
#include "poise_data/byte_reader.hpp"
#include "poise_data/csv.hpp"

namespace poise::data {
namespace {

/// So many classes are believed whatever the labels are; beyond, at most this many for each different label.
constexpr Index believed_classes = 100;
constexpr Index classes_a_label = 10;

/// Numbers by size, before words by letters; 1 and 1.0 are one label.
struct LabelOrder {
  bool operator()(const std::string& a, const std::string& b) const {
    double x = 0.0, y = 0.0;
    const bool a_is = is_number(a, x), b_is = is_number(b, y);
    if (a_is && b_is) return x < y;
    if (a_is != b_is) return a_is;
    return a < b;
  }
};

using Numbers = std::map<std::string, Index, LabelOrder>;

Numbers different_labels(const RawLabels& train, const RawLabels& test) {
  Numbers numbers;
  for (const RawLabels* set : {&train, &test})
    for (std::size_t i = 0; i < set->texts.size(); ++i) {
      if (set->texts[i].empty())
        throw bad_input(set->where[i] + ": the label is missing; fill it in or leave the row out");
      if (means_missing(set->texts[i]))
        throw bad_input(
            set->where[i] + ": the label " + quoted(set->texts[i]) +
            " stands for a missing one: fill it in, leave the row out, or, if it is a class, give "
            "it another name");
      numbers.emplace(set->texts[i], 0);
    }
  Index next = 0;
  for (auto& [text, number] : numbers) number = next++;
  return numbers;
}

bool all_are_numbers(const Numbers& numbers) {
  double value = 0.0;
  return std::all_of(numbers.begin(), numbers.end(),
                     [&](const auto& n) { return is_number(n.first, value); });
}

Index to_label(double value, Index classes, const std::string& where) {
  if (std::floor(value) != value)
    throw bad_input(where + ": the label " + to_text(value) +
                    " is not a whole number: is it a number to be predicted? Its column is a target then "
                    "(-target_columns); classes are 0, 1, 2, ..., and -map_labels true numbers others");
  if (value < 0)
    throw bad_input(
        where + ": the label " + to_text(value) +
        " is not an integer from 0 on: number the classes 0, 1, 2, ..., or let -map_labels true do "
        "it");
  const Index limit = classes > 0 ? classes : most_classes;
  if (value >= static_cast<double>(limit))
    throw bad_input(fmt::format("{}: the label {} is not below {}, {}", where, to_text(value), limit,
                                classes > 0
                                    ? "the number of classes (-classes)"
                                    : "the most classes there may be: do the labels stand elsewhere?"));
  return static_cast<Index>(value);
}

std::vector<Index> labels_of(const RawLabels& raw, const Numbers& numbers, bool mapped, Index classes) {
  std::vector<Index> labels;
  for (std::size_t i = 0; i < raw.texts.size(); ++i) {
    double value = 0.0;
    if (!mapped) (void)is_number(raw.texts[i], value);
    labels.push_back(mapped ? numbers.at(raw.texts[i]) : to_label(value, classes, raw.where[i]));
  }
  return labels;
}

std::vector<Index> counts_of(const SampleBlock& block, Index classes) {
  if (block.count == 0) return {};
  std::vector<Index> counts(static_cast<std::size_t>(classes), 0);
  for (const Index label : block.labels) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

}  // namespace

LabelOptions LabelOptions::from(Options& options) {
  const Options::Category category(options, "classes");
  LabelOptions o;
  o.classes = options.integer("classes", 0, {0, static_cast<double>(most_classes)},
                              "number of classes (0: the largest label + 1)");
  o.map =
      options.flag("map_labels", false,
                   "number the different labels 0, 1, 2, ... in their order and keep them as names of the "
                   "classes, as is done with words");
  return o;
}

void number_labels(const RawLabels& train, const RawLabels& test, const LabelOptions& options,
                   DatasetContent& content) {
  const Numbers numbers = different_labels(train, test);
  const bool mapped = options.map || !all_are_numbers(numbers);
  const auto different = static_cast<Index>(numbers.size());
  content.train.labels = labels_of(train, numbers, mapped, options.classes);
  content.test.labels = labels_of(test, numbers, mapped, options.classes);
  Index classes = options.classes;
  if (mapped) {
    if (classes > 0 && classes != different)
      throw bad_input(
          fmt::format("-classes {}: there are {} different labels; leave it out", classes, different));
    classes = different;
    content.class_names.clear();
    for (const auto& [text, number] : numbers) content.class_names.push_back(text);
  }
  if (classes == 0) {
    for (const SampleBlock* set : {&content.train, &content.test})
      for (const Index label : set->labels) classes = std::max(classes, label + 1);
    if (classes > std::max(believed_classes, classes_a_label * different))
      throw bad_input(fmt::format(
          "the largest label is {}, but there are only {} different ones: is the label column an identifier "
          "or a number to be predicted? -map_labels true numbers the different labels, -classes states how "
          "many there are",
          classes - 1, different));
  }
  content.train.outputs = content.test.outputs = classes;
}

void warn_of_classes(const DatasetContent& content) {
  if (content.train.labels.empty()) return;
  const Index classes = content.train.outputs;
  for (const std::string& warning : class_warnings(counts_of(content.train, classes),
                                                   counts_of(content.test, classes), content.class_names))
    warn(warning);
}

}  // namespace poise::data
