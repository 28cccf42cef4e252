#include "poise_data/samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <system_error>

#include "poise/base/error.hpp"
#include "poise/base/option_rules.hpp"
#include "poise/base/output.hpp"
#include "poise/base/random.hpp"
#include "poise/import/csv.hpp"
#include "poise/import/reading.hpp"
#include "poise/io/dataset.hpp"

namespace poise::data {
namespace {

/// Up to this number of classes, all labels are accepted; with more classes, at most `classes_a_label`
/// classes per different label.
constexpr Index believed_classes = 100;
constexpr Index classes_a_label = 10;

using Numbers = std::map<std::string, Index, LabelOrder>;

/// Whether a label is one that is not known.
bool is_unknown(const std::string& text, const LabelOptions& options) {
  double value = 0.0;
  return options.may_miss &&
         (text.empty() || means_missing(text) || (is_number(text, value) && value == -1.0));
}

Numbers different_labels(const RawLabels& train, const RawLabels& test, const LabelOptions& options) {
  Numbers numbers;
  for (const RawLabels* set : {&train, &test})
    for (std::size_t i = 0; i < set->texts.size(); ++i) {
      if (is_unknown(set->texts[i], options)) continue;
      if (set->texts[i].empty())
        throw bad_input(set->where[i] + ": the label is missing; fill it in or leave the row out");
      if (means_missing(set->texts[i]))
        throw bad_input(
            set->where[i] + ": the label " + quoted(set->texts[i]) +
            " stands for a missing one: fill it in, leave the row out, or, if it is a class, give it another "
            "name");
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
        " is not an integer from 0 on: number the classes 0, 1, 2, ..., or let -map_labels true do it");
  const Index limit = classes > 0 ? classes : most_classes;
  if (value >= static_cast<double>(limit))
    throw bad_input(fmt::format("{}: the label {} is not below {}, {}", where, to_text(value), limit,
                                classes > 0
                                    ? "the number of classes (-classes)"
                                    : "the most classes there may be: do the labels stand elsewhere?"));
  return static_cast<Index>(value);
}

std::vector<Index> labels_of(const RawLabels& raw, const Numbers& numbers, bool mapped,
                             const LabelOptions& options) {
  std::vector<Index> labels;
  for (std::size_t i = 0; i < raw.texts.size(); ++i) {
    double value = 0.0;
    if (is_unknown(raw.texts[i], options)) {
      labels.push_back(-1);
      continue;
    }
    if (!mapped) (void)is_number(raw.texts[i], value);
    labels.push_back(mapped ? numbers.at(raw.texts[i]) : to_label(value, options.classes, raw.where[i]));
  }
  return labels;
}

std::vector<Index> counts_of(const SampleBlock& block, Index classes) {
  if (block.count == 0) return {};
  std::vector<Index> counts(static_cast<std::size_t>(classes), 0);
  for (const Index label : block.labels) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

/// Marks the `wanted` rows with the smallest random numbers of the seed.
void draw(std::vector<Index> rows, Index wanted, std::uint64_t seed, std::vector<bool>& is_test) {
  const CounterRandom random(seed, Stream::test_split);
  std::vector<std::pair<double, Index>> drawn;
  for (const Index row : rows) drawn.emplace_back(random.uniform(static_cast<std::uint64_t>(row)), row);
  std::nth_element(drawn.begin(), drawn.begin() + wanted, drawn.end());
  for (Index i = 0; i < wanted; ++i)
    is_test[static_cast<std::size_t>(drawn[static_cast<std::size_t>(i)].second)] = true;
}

/// Numbers of test rows per class: shares rounded down, then one more row for the largest remainders. The
/// only row of a class is taken last, because a class without training samples cannot be learned.
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

LabelOptions LabelOptions::from(Options& options) {
  const Options::Category category(options, "classes");
  LabelOptions o;
  o.classes = options.integer("classes", 0, {0, static_cast<double>(most_classes)},
                              "number of classes (0: the largest label + 1)");
  o.map =
      options.flag("map_labels", false,
                   "number the different labels 0, 1, 2, ... in sorted order and keep them as names of the "
                   "classes; words are always treated so");
  return o;
}

void number_labels(const RawLabels& train, const RawLabels& test, const LabelOptions& options,
                   DatasetContent& content) {
  const Numbers numbers = different_labels(train, test, options);
  const bool mapped = options.map || !all_are_numbers(numbers);
  const auto different = static_cast<Index>(numbers.size());
  content.train.labels = labels_of(train, numbers, mapped, options);
  content.test.labels = labels_of(test, numbers, mapped, options);
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

TestSplit declare_test_split(Options& options) {
  const Options::Category category(options, "test");
  TestSplit split;
  split.fraction =
      options.real("test_fraction", 0, {0, 0.99}, "share of the rows to draw at random as test set");
  split.rows =
      options.integer("test_rows", 0, {0}, "number of rows at the end of the file that are the test set");
  split.stratify = options.flag("stratify", true, "with -test_fraction: draw the same share of every class");
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
    throw bad_input(fmt::format(
        "a test set of {} out of {} rows leaves none for training: choose a smaller -test_rows or "
        "-test_fraction",
        held_out, rows));
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

Output declare_output(Options& options) {
  const Options::Category category(options, "output");
  Output output;
  output.path = options.text("out", "", "the data file to write (HDF5)");
  output.force = options.flag("force", false, "replace the file if it exists");
  output.name = options.text("name", "", "name of the data set (default: name of the file)");
  output.source = options.text("source", "", "where the data comes from, kept in the file");
  output.license = options.text("license", "", "the licence of the data, kept in the file");
  if (output.name.empty()) output.name = std::filesystem::path(output.path).stem().string();
  return output;
}

void require_output(const Output& output) {
  if (output.path.empty()) throw bad_input("option -out is missing: name the data file to write");
  const auto folder = std::filesystem::path(output.path).parent_path();
  std::error_code code;
  if (!folder.empty() && !std::filesystem::is_directory(folder, code))
    throw bad_input(output.path + (code && code != std::errc::no_such_file_or_directory
                                       ? ": cannot look into its folder: " + code.message()
                                       : ": no such folder: make it first"));
  if (!output.force && std::filesystem::exists(output.path))
    throw bad_input(output.path + ": exists already; -force true replaces it");
}

DatasetInfo write_split(DatasetContent content, const TestSplit& split, const Output& output) {
  if (content.test.count > 0 && split.is_given())
    throw bad_input("a test set is given: leave -test_rows and -test_fraction out");
  split_samples(content, split);
  warn_of_classes(content);
  content.name = output.name;
  content.source = output.source;
  content.license = output.license;
  return write_dataset(output.path, content);
}

bool declare_unlabelled(Options& options) {
  return options.flag("unlabelled", false,
                      "with -csv, -npy_features or -npz: take features alone, without labels or targets; "
                      "poise-predict needs no more");
}

std::string summary_of(const DatasetInfo& info) {
  if (!info.has_answers)
    return fmt::format("{}: {}, {} ({}), no labels or targets: for poise-predict", info.path,
                       plural(info.samples + info.test_samples, "sample"), plural(info.inputs, "feature"),
                       info.feature_type);
  return fmt::format("{}: {} training and {}, {} ({}), {}", info.path, info.samples,
                     plural(info.test_samples, "test sample"), plural(info.inputs, "feature"),
                     info.feature_type, plural(info.outputs, info.classification ? "class" : "target"));
}

}  // namespace poise::data
