#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>

#include "poise/base/error.hpp"
#include "poise/base/output.hpp"
#include "poise/import/csv.hpp"
#include "poise/import/edge_list.hpp"
#include "poise/import/reading.hpp"
#include "poise_data/poise_data.hpp"
#include "poise_data/sample_sources.hpp"
#include "poise_data/samples.hpp"

namespace poise::data {
namespace {

/// The samples of one table, where columns of targets are still among the features.
struct Samples {
  CsvTable table;
  std::vector<std::string> target_names;
  SampleBlock block;
};

Index node_column(const TableOptions& o, Index columns, const std::vector<std::string>& names) {
  const std::vector<Index> column = parse_columns(o.node_column, columns, names, "-node_column");
  if (column.size() != 1) throw bad_input("option -node_column: give one column");
  return column[0];
}

/// The columns of -drop_columns, that of -node_column, and the index where `answers` (labels, targets) does
/// not name it.
std::vector<Index> dropped_columns(const TableOptions& o, Index columns,
                                   const std::vector<std::string>& names, const std::vector<Index>& answers,
                                   const std::string& option) {
  std::vector<Index> dropped;
  if (!o.drop_columns.empty()) dropped = parse_columns(o.drop_columns, columns, names, "-drop_columns");
  const auto has = [](const std::vector<Index>& all, Index column) {
    return std::find(all.begin(), all.end(), column) != all.end();
  };
  for (const Index answer : answers)
    if (has(dropped, answer))
      throw bad_input("options " + option + " and -drop_columns name the same column");
  if (!o.node_column.empty()) {
    const Index node = node_column(o, columns, names);
    if (has(answers, node)) throw bad_input("options " + option + " and -node_column name the same column");
    if (!has(dropped, node)) dropped.push_back(node);
  }
  if (begins_with_index(names) && !has(dropped, 0) && !has(answers, 0)) dropped.push_back(0);
  return dropped;
}

CsvTable read_table(const TableOptions& o, const std::string& path) {
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
    if (o.of_nodes) roles.may_miss = targets;
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

void read_targets(const TableOptions& o, const std::string& path, Samples& samples) {
  CsvTable targets = read_csv(path, o.format, [&](Index columns, const std::vector<std::string>&) {
    CsvRoles roles;
    for (Index column = 0; o.of_nodes && column < columns; ++column) roles.may_miss.push_back(column);
    return roles;
  });
  if (targets.rows != samples.table.rows)
    throw bad_input(fmt::format("{}: has {} rows, {} has {}: both need one row per sample", path,
                                targets.rows, samples.table.path, samples.table.rows));
  samples.block.outputs = targets.columns;
  samples.block.targets = std::move(targets.values);
  samples.target_names = std::move(targets.names);
}

/// The numbers of the columns that -target_columns names, among those that are not dropped.
std::vector<Index> target_columns(const TableOptions& o, const std::string& path) {
  std::vector<Index> kept;
  (void)read_csv(path, o.format, [&](Index columns, const std::vector<std::string>& names) {
    const auto targets = parse_columns(o.target_columns, columns, names, "-target_columns");
    const auto dropped = dropped_columns(o, columns, names, targets, "-target_columns");
    for (const Index target : targets)
      kept.push_back(target -
                     std::count_if(dropped.begin(), dropped.end(), [&](Index d) { return d < target; }));
    return CsvRoles{dropped, -1, o.of_nodes ? targets : std::vector<Index>{}};
  });
  return kept;
}

Samples read_table_and_targets(const TableOptions& o, const std::string& path,
                               const std::string& target_path) {
  Samples samples;
  samples.table = read_table(o, path);
  if (!o.target_columns.empty()) take_targets(target_columns(o, path), samples);
  if (!target_path.empty()) read_targets(o, target_path, samples);
  if (samples.table.columns == 0 && !o.of_nodes)
    throw bad_input(path + ": no column is left for the features");
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

TableOptions declare_table(Options& options, bool of_nodes) {
  const Options::Category category(options, "csv");
  TableOptions o;
  o.of_nodes = of_nodes;
  o.path =
      options.text("csv", "", "text table, plain or .gz, one sample per row; separator , ; | tab or blanks");
  o.label_column = options.text("label_column", "",
                                "column of the class, by number (0 is the first, -1 the last) or name");
  o.target_columns = options.text("target_columns", "",
                                  "columns of the regression targets, such as 10,11 or -2,-1 or price,age");
  o.target_path = options.text("target_csv", "", "a second table whose columns are the regression targets");
  o.drop_columns = options.text("drop_columns", "", "columns to leave out, such as 0 or id,name");
  if (of_nodes)
    o.node_column = options.text("node_column", "",
                                 "with -edges: column of the numbers that the edges name the nodes by; if "
                                 "empty: the first row is node 0 (of a matrix: 1), and so on");
  o.unlabelled = declare_unlabelled(options);
  o.format = CsvFormat::from(options);
  if (of_nodes) o.format.cure_of_missing = "";
  o.labels = LabelOptions::from(options);
  o.labels.may_miss = of_nodes;
  return o;
}

void validate(const TableOptions& o) {
  int given = 0;
  for (const auto& text : {o.label_column, o.target_columns, o.target_path}) given += text.empty() ? 0 : 1;
  if (o.unlabelled && given > 0)
    throw bad_input("-unlabelled true: leave out -label_column, -target_columns and -target_csv");
  if (!o.unlabelled && given != 1)
    throw bad_input(
        "with -csv give one of -label_column, -target_columns, -target_csv, or -unlabelled true for features "
        "alone");
}

DatasetContent read_samples(const TableOptions& o, const std::string& test_path,
                            const std::string& test_target_path) {
  Samples train = read_table_and_targets(o, o.path, o.target_path), test;
  if (!test_path.empty()) {
    test = read_table_and_targets(o, test_path, test_target_path);
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
  return content;
}

std::vector<Index> read_node_numbers(const TableOptions& o) {
  const CsvTable table =
      read_csv(o.path, o.format, [&](Index columns, const std::vector<std::string>& names) {
        CsvRoles roles;
        const Index kept = node_column(o, columns, names);
        for (Index column = 0; column < columns; ++column)
          if (column != kept) roles.dropped.push_back(column);
        roles.text = kept;
        return roles;
      });
  std::vector<Index> numbers;
  std::map<Index, Index> rows;
  for (Index row = 0; row < table.rows; ++row) {
    const std::string& text = table.texts[static_cast<std::size_t>(row)];
    Index number = 0;
    if (!is_node_number(text, number))
      throw bad_input(
          fmt::format("{}: {} in the -node_column is not the number of a node: nodes are whole "
                      "numbers from 0 on",
                      table.at(row), quoted(text)));
    const auto found = rows.emplace(number, row);
    if (!found.second)
      throw bad_input(fmt::format("{}: node {} stands on line {}, too: keep one row for each node",
                                  table.at(row), number,
                                  table.lines[static_cast<std::size_t>(found.first->second)]));
    numbers.push_back(number);
  }
  return numbers;
}

DatasetInfo import_csv(Options& options, bool declare_only) {
  TableOptions table = declare_table(options);
  const Options::Category category(options, "csv");
  const std::string test_path =
      options.text("test_csv", "", "a table of the test samples, with the same columns");
  const std::string test_target_path =
      options.text("test_target_csv", "", "a table of the targets of -test_csv, with -target_csv");
  table.format.drop_missing =
      options.flag("drop_missing", false, "leave out rows with a missing number or label");
  const TestSplit split = declare_test_split(options);
  const Output output = declare_output(options);
  if (declare_only) return {};
  options.reject_unknown();
  validate(table);
  if ((!test_path.empty() && !table.target_path.empty()) == test_target_path.empty())
    throw bad_input("-test_target_csv belongs to -test_csv and -target_csv: give all three, or leave it out");
  if (table.format.drop_missing && !table.target_path.empty())
    throw bad_input(
        "-drop_missing true with -target_csv: rows of two tables would no longer belong together");
  require_output(output);
  return write_split(read_samples(table, test_path, test_target_path), split, output);
}

}  // namespace poise::data
