#include <algorithm>

#include "poise/base/error.hpp"
#include "poise_data/csv.hpp"
#include "poise_data/import.hpp"
#include "poise_data/output.hpp"
#include "poise_data/samples.hpp"

namespace poise {
namespace {

struct CsvOptions {
  std::string path, target_path, label_column, target_columns;
  CsvHeader header = CsvHeader::detect;
  Index classes = 0;
  TestSplit split;
  Output output;
};

CsvOptions declare(Options& options) {
  CsvOptions o;
  o.path = options.text("csv", "", "text table, plain or .gz, a sample a row; separator , ; tab or blanks");
  o.label_column = options.text("label_column", "", "column of the class (0 is the first, -1 the last)");
  o.target_columns =
      options.text("target_columns", "", "columns of the regression targets, as 10,11 or -2,-1");
  o.target_path = options.text("target_csv", "", "a second table whose columns are the regression targets");
  const std::string header =
      options.choice("csv_header", "detect", {"detect", "true", "false"},
                     "whether the first line names the columns (detect: it does if it holds no number)");
  if (header != "detect") o.header = header == "true" ? CsvHeader::yes : CsvHeader::no;
  o.classes = declare_classes(options);
  o.split = declare_test_split(options);
  o.output = declare_output(options);
  return o;
}

void validate(const CsvOptions& o) {
  int given = 0;
  for (const auto& text : {o.label_column, o.target_columns, o.target_path}) given += text.empty() ? 0 : 1;
  if (given != 1) throw bad_input("give one of -label_column, -target_columns and -target_csv with -csv");
  require_output(o.output);
}

/// Removes `columns` from the table and returns them, row-major.
std::vector<double> take_columns(CsvTable& table, const std::vector<Index>& columns) {
  const Index left = table.columns - static_cast<Index>(columns.size());
  if (left == 0) throw bad_input(table.path + ": no column is left for the features");
  std::vector<double> taken;
  std::vector<double> rest;
  for (Index row = 0; row < table.rows; ++row) {
    const auto values = table.values.begin() + row * table.columns;
    for (const Index column : columns) taken.push_back(values[column]);
    for (Index column = 0; column < table.columns; ++column)
      if (std::find(columns.begin(), columns.end(), column) == columns.end()) rest.push_back(values[column]);
  }
  table.values = std::move(rest);
  table.columns = left;
  return taken;
}

void take_labels(CsvTable& table, const CsvOptions& o, SampleBlock& all) {
  const auto column = parse_columns(o.label_column, table.columns, "-label_column");
  if (column.size() != 1) throw bad_input("option -label_column: give one column");
  const std::vector<double> values = take_columns(table, column);
  for (std::size_t row = 0; row < values.size(); ++row)
    all.labels.push_back(
        to_label(values[row], o.classes, table.path + ": line " + std::to_string(table.lines[row])));
  all.outputs = o.classes > 0 ? o.classes : count_classes(all.labels);
}

void read_targets(const CsvTable& table, const CsvOptions& o, SampleBlock& all) {
  CsvTable targets = read_csv(o.target_path, o.header);
  if (targets.rows != table.rows)
    throw bad_input(o.target_path + ": has " + std::to_string(targets.rows) + " rows, " + o.path + " has " +
                    std::to_string(table.rows) + ": both need one row a sample");
  all.outputs = targets.columns;
  all.targets = std::move(targets.values);
}

}  // namespace

DatasetInfo import_csv(Options& options, bool declare_only) {
  const CsvOptions o = declare(options);
  if (declare_only) return {};
  options.reject_unknown();
  validate(o);

  CsvTable table = read_csv(o.path, o.header);
  SampleBlock all;
  if (!o.label_column.empty()) {
    take_labels(table, o, all);
  } else if (!o.target_columns.empty()) {
    const auto columns = parse_columns(o.target_columns, table.columns, "-target_columns");
    all.outputs = static_cast<Index>(columns.size());
    all.targets = take_columns(table, columns);
  } else {
    read_targets(table, o, all);
  }
  all.count = table.rows;
  all.inputs = table.columns;
  all.features = std::move(table.values);
  return write_split(all, o.split, o.output);
}

}  // namespace poise
