#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "poise/base/error.hpp"
#include "poise/base/output.hpp"
#include "poise/import/csv.hpp"
#include "poise/import/reading.hpp"
#include "poise_data/poise_data.hpp"
#include "poise_data/samples.hpp"

namespace poise::data {
namespace {

struct CsvOptions {
  std::string path, test_path, target_path, test_target_path, label_column, target_columns, drop_columns;
  CsvFormat format;
  LabelOptions labels;
  TestSplit split;
  Output output;
  bool unlabelled = false;
};

CsvOptions declare(Options& options) {
  const Options::Category category(options, "csv");
  CsvOptions o;
  o.path =
      options.text("csv", "", "text table, plain or .gz, one sample per row; separator , ; | tab or blanks");
  o.label_column = options.text("label_column", "",
                                "column of the class, by number (0 is the first, -1 the last) or name");
  o.target_columns = options.text("target_columns", "",
                                  "columns of the regression targets, such as 10,11 or -2,-1 or price,age");
  o.target_path = options.text("target_csv", "", "a second table whose columns are the regression targets");
  o.drop_columns = options.text("drop_columns", "", "columns to leave out, such as 0 or id,name");
  o.test_path = options.text("test_csv", "", "a table of the test samples, with the same columns");
  o.test_target_path =
      options.text("test_target_csv", "", "a table of the targets of -test_csv, with -target_csv");
  o.unlabelled = declare_unlabelled(options);
  o.format = CsvFormat::from(options);
  o.format.drop_missing =
      options.flag("drop_missing", false, "leave out rows with a missing number or label");
  o.labels = LabelOptions::from(options);
  o.split = declare_test_split(options);
  o.output = declare_output(options);
  return o;
}

void validate(const CsvOptions& o) {
  int given = 0;
  for (const auto& text : {o.label_column, o.target_columns, o.target_path}) given += text.empty() ? 0 : 1;
  if (o.unlabelled && given > 0)
    throw bad_input("-unlabelled true: leave out -label_column, -target_columns and -target_csv");
  if (!o.unlabelled && given != 1)
    throw bad_input(
        "with -csv give one of -label_column, -target_columns, -target_csv, or -unlabelled true for features "
        "alone");
  if ((!o.test_path.empty() && !o.target_path.empty()) == o.test_target_path.empty())
    throw bad_input("-test_target_csv belongs to -test_csv and -target_csv: give all three, or leave it out");
  if (o.format.drop_missing && !o.target_path.empty())
    throw bad_input(
        "-drop_missing true with -target_csv: rows of two tables would no longer belong together");
  require_output(o.output);
}

/// The samples of one table, where columns of targets are still among the features.
struct Samples {
  CsvTable table;
  std::vector<std::string> target_names;
  SampleBlock block;
};

/// The columns of -drop_columns, and the index where `answers` (labels, targets) does not name it.
std::vector<Index> dropped_columns(const CsvOptions& o, Index columns, const std::vector<std::string>& names,
                                   const std::vector<Index>& answers, const std::string& option) {
  std::vector<Index> dropped;
  if (!o.drop_columns.empty()) dropped = parse_columns(o.drop_columns, columns, names, "-drop_columns");
  const auto has = [](const std::vector<Index>& all, Index column) {
    return std::find(all.begin(), all.end(), column) != all.end();
  };
  for (const Index answer : answers)
    if (has(dropped, answer))
      throw bad_input("options " + option + " and -drop_columns name the same column");
  if (begins_with_index(names) && !has(dropped, 0) && !has(answers, 0)) dropped.push_back(0);
  return dropped;
}

CsvTable read_table(const CsvOptions& o, const std::string& path) {
  bool left_out = false;
  CsvTable table = read_csv(path, o.format, [&](Index columns, const std::vector<std::string>& names) {
    std::vector<Index> label;
    if (!o.label_column.empty()) {
      label = parse_columns(o.label_column, columns, names, "-label_column");
      if (label.size() != 1) throw bad_input("option -label_column: give one column");
    }
    std::vector<Index> targets;
    if (!o.target_columns.empty())
      targets = parse_columns(o.target_columns, columns, names, "-target_columns");
    const std::vector<Index>& answers = label.empty() ? targets : label;
    CsvRoles roles;
    roles.dropped =
        dropped_columns(o, columns, names, answers, label.empty() ? "-target_columns" : "-label_column");
    roles.text = label.empty() ? Index{-1} : label[0];
    left_out = begins_with_index(names) && !roles.dropped.empty() && roles.dropped.back() == 0;
    return roles;
  });
  if (left_out)
    std::fprintf(
        stderr,
        "poise: %s: the first column has no name: it is taken for an index of the rows and left out\n",
        path.c_str());
  if (table.left_out > 0)
    std::fprintf(stderr, "poise: %s: %lld of %lld rows are left out, for they have missing values\n",
                 path.c_str(), static_cast<long long>(table.left_out),
                 static_cast<long long>(table.rows + table.left_out));
  return table;
}

/// Moves `columns` of the table's numbers, counted without the dropped ones, to the targets.
void take_targets(const std::vector<Index>& columns, Samples& samples) {
  CsvTable& table = samples.table;
  const Index left = table.columns - static_cast<Index>(columns.size());
  if (left == 0) throw bad_input(table.path + ": no column is left for the features");
  std::vector<double> rest;
  for (Index row = 0; row < table.rows; ++row) {
    const auto values = table.values.begin() + row * table.columns;
    for (const Index column : columns) samples.block.targets.push_back(values[column]);
    for (Index column = 0; column < table.columns; ++column)
      if (std::find(columns.begin(), columns.end(), column) == columns.end()) rest.push_back(values[column]);
  }
  std::vector<std::string> names;
  std::vector<Index> numbers;
  for (Index column = 0; column < table.columns; ++column) {
    if (std::find(columns.begin(), columns.end(), column) != columns.end()) continue;
    numbers.push_back(table.numbers[static_cast<std::size_t>(column)]);
    if (!table.names.empty()) names.push_back(table.names[static_cast<std::size_t>(column)]);
  }
  for (const Index column : columns)
    if (!table.names.empty()) samples.target_names.push_back(table.names[static_cast<std::size_t>(column)]);
  table.names = std::move(names);
  table.numbers = std::move(numbers);
  table.values = std::move(rest);
  table.columns = left;
  samples.block.outputs = static_cast<Index>(columns.size());
}

void read_targets(const CsvOptions& o, const std::string& path, Samples& samples) {
  CsvTable targets = read_csv(path, o.format);
  if (targets.rows != samples.table.rows)
    throw bad_input(fmt::format("{}: has {} rows, {} has {}: both need one row per sample", path,
                                targets.rows, samples.table.path, samples.table.rows));
  samples.block.outputs = targets.columns;
  samples.block.targets = std::move(targets.values);
  samples.target_names = std::move(targets.names);
}

/// The numbers of the columns that -target_columns names, among those that are not dropped.
std::vector<Index> target_columns(const CsvOptions& o, const std::string& path) {
  std::vector<Index> kept;
  (void)read_csv(path, o.format, [&](Index columns, const std::vector<std::string>& names) {
    const auto targets = parse_columns(o.target_columns, columns, names, "-target_columns");
    const auto dropped = dropped_columns(o, columns, names, targets, "-target_columns");
    for (const Index target : targets)
      kept.push_back(target -
                     std::count_if(dropped.begin(), dropped.end(), [&](Index d) { return d < target; }));
    return CsvRoles{dropped, -1};
  });
  return kept;
}

Samples read_samples(const CsvOptions& o, const std::string& path, const std::string& target_path) {
  Samples samples;
  samples.table = read_table(o, path);
  if (!o.target_columns.empty()) take_targets(target_columns(o, path), samples);
  if (!target_path.empty()) read_targets(o, target_path, samples);
  if (samples.table.columns == 0) throw bad_input(path + ": no column is left for the features");
  samples.block.count = samples.table.rows;
  samples.block.inputs = samples.table.columns;
  return samples;
}

RawLabels labels_of(const CsvTable& table) {
  RawLabels raw;
  for (Index row = 0; row < static_cast<Index>(table.texts.size()); ++row) {
    raw.texts.push_back(table.texts[static_cast<std::size_t>(row)]);
    raw.where.push_back(table.at(row));
  }
  return raw;
}

void require_same_columns(const Samples& train_samples, const Samples& test_samples) {
  const CsvTable &train = train_samples.table, &test = test_samples.table;
  if (train.columns != test.columns)
    throw bad_input(fmt::format("{}: has {} features, {} has {}: both need the same columns", test.path,
                                test.columns, train.path, train.columns));
  if (!train.names.empty() && !test.names.empty() && train.names != test.names)
    throw bad_input(
        fmt::format("{}: its columns have different names than the columns of {}, or another order",
                    test.path, train.path));
  const auto &targets = train_samples.target_names, &test_targets = test_samples.target_names;
  if (!targets.empty() && !test_targets.empty() && targets != test_targets)
    throw bad_input(fmt::format(
        "{}: its target columns have different names than the target columns of {}, or another order",
        test.path, train.path));
}

bool counts_rows(const CsvTable& table, Index column) {
  const double first = table.values[static_cast<std::size_t>(column)];
  bool counts = table.rows > 2 && (first == 0.0 || first == 1.0);
  for (Index row = 1; row < table.rows && counts; ++row)
    counts = table.values[static_cast<std::size_t>(row * table.columns + column)] ==
             first + static_cast<double>(row);
  return counts;
}

/// Why a column may be an index of the rows, which a model must not see; empty if it is like the others.
std::string why_index(const CsvTable& table, Index column) {
  if (counts_rows(table, column)) return "counts the rows";
  if (table.names.empty() || table.numbers[static_cast<std::size_t>(column)] != 0) return {};
  std::string name = table.names[static_cast<std::size_t>(column)];
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name == "index" || name == "id" ? "is named like one" : "";
}

void warn_of_index(const CsvTable& table) {
  for (Index column = 0; column < table.columns; ++column) {
    const std::string why = why_index(table, column);
    if (why.empty()) continue;
    const auto place = static_cast<std::size_t>(column);
    const Index number = table.numbers[place];
    const bool named = !table.names.empty() && !table.names[place].empty();
    warn(fmt::format(
        "{}: column {}{}: is it an index of the rows, which the model must not see? It {}. Leave it out by "
        "-drop_columns {}",
        table.path, number, named ? " (" + quoted(table.names[place]) + ")" : "", why, number));
  }
}

/// A first row 0, 1, 2, ... is likely the header of a table whose columns have numbers for names.
void warn_of_numbers_as_header(const CsvTable& table) {
  constexpr Index least = 3;
  bool counts = table.names.empty() && table.columns >= least;
  for (Index column = 0; column < table.columns && counts; ++column)
    counts = table.values[static_cast<std::size_t>(column)] == static_cast<double>(column);
  if (counts)
    warn(table.path +
         ": the features of the first row are 0, 1, 2, ...: is it the header? Then give -csv_header true");
}

}  // namespace

DatasetInfo import_csv(Options& options, bool declare_only) {
  const CsvOptions o = declare(options);
  if (declare_only) return {};
  options.reject_unknown();
  validate(o);

  Samples train = read_samples(o, o.path, o.target_path), test;
  if (!o.test_path.empty()) {
    test = read_samples(o, o.test_path, o.test_target_path);
    require_same_columns(train, test);
  }
  warn_of_index(train.table);
  for (const CsvTable* table : {&train.table, &test.table})
    if (o.format.header == CsvHeader::detect) warn_of_numbers_as_header(*table);
  DatasetContent content;
  content.train = std::move(train.block);
  content.test = std::move(test.block);
  content.train.features = std::move(train.table.values);
  content.test.features = std::move(test.table.values);
  content.input_names = train.table.names;
  content.target_names = train.target_names;
  if (!o.label_column.empty())
    number_labels(labels_of(train.table), labels_of(test.table), o.labels, content);
  return write_split(std::move(content), o.split, o.output);
}

}  // namespace poise::data
