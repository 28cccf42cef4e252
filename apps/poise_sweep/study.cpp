#include "poise_sweep/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/base/text.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/hdf5.hpp"

namespace poise::sweep {
namespace {

std::string spread(std::vector<double> values) {
  std::erase_if(values, [](double v) { return std::isnan(v); });
  if (values.empty()) return "-";
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
  if (values.front() == values.back()) return brief(median, 3);
  return fmt::format("{:.3g} [{:.3g}, {:.3g}]", median, values.front(), values.back());
}

using Lines = std::vector<std::vector<std::string>>;

Lines lines_of(const Study& study, const Table& table) {
  Lines lines(1);
  std::vector<std::string> labels;
  for (std::size_t c = 0; c < table.parameters(); ++c)
    if (table.columns()[c].name != "seed") labels.push_back(table.columns()[c].name);
  lines[0] = labels;
  lines[0].insert(lines[0].end(), study.shown.begin(), study.shown.end());
  for (const auto& group : table.groups("seed")) {
    lines.emplace_back();
    for (const auto& name : labels) lines.back().push_back(to_text(table.at(group.front(), name)));
    for (const auto& name : study.shown) {
      std::vector<double> values;
      for (const std::size_t row : group)
        if (table.error(row).empty()) values.push_back(table.at(row, name));
      lines.back().push_back(spread(values));
    }
  }
  return lines;
}

}  // namespace

Table::Table(std::vector<Column> parameters, const std::vector<Column>& results,
             const std::vector<std::vector<double>>& members, const std::vector<MemberResult>& done)
    : columns_(std::move(parameters)), parameters_(columns_.size()) {
  columns_.insert(columns_.end(), results.begin(), results.end());
  columns_.push_back({"failed", "1: the member failed, see the group errors; its results are NaN"});
  columns_.push_back({"group", "the group of ranks that computed the member"});
  columns_.push_back({"seconds", "time of the member"});
  for (std::size_t k = 0; k < members.size(); ++k) {
    const MemberResult& result = done[k];
    std::vector<double> row = members[k];
    if (result.error.empty() && result.values.size() != results.size())
      throw failure(
          fmt::format("a member returned {} numbers, not {}", result.values.size(), results.size()));
    row.insert(row.end(), result.values.begin(), result.values.end());
    row.resize(parameters_ + results.size(), std::numeric_limits<double>::quiet_NaN());
    row.push_back(result.error.empty() ? 0.0 : 1.0);
    row.push_back(static_cast<double>(result.group));
    row.push_back(result.seconds);
    values_.push_back(std::move(row));
    errors_.push_back(result.error);
  }
}

std::size_t Table::index(const std::string& name) const {
  const auto found =
      std::find_if(columns_.begin(), columns_.end(), [&](const Column& c) { return c.name == name; });
  if (found == columns_.end()) throw failure(fmt::format("the sweep has no column '{}'", name));
  return static_cast<std::size_t>(found - columns_.begin());
}

std::vector<double> Table::column(const std::string& name) const {
  const std::size_t c = index(name);
  std::vector<double> values;
  for (const auto& row : values_) values.push_back(row[c]);
  return values;
}

std::size_t Table::failures() const {
  return static_cast<std::size_t>(
      std::count_if(errors_.begin(), errors_.end(), [](const std::string& e) { return !e.empty(); }));
}

std::string Table::label(std::size_t row) const {
  return label_of({columns_.begin(), columns_.begin() + static_cast<std::ptrdiff_t>(parameters_)},
                  values_[row]);
}

std::vector<std::vector<std::size_t>> Table::groups(const std::string& ignored) const {
  const std::size_t skip = index(ignored);
  const auto same = [&](std::size_t a, std::size_t b) {
    for (std::size_t c = 0; c < parameters_; ++c)
      if (c != skip && values_[a][c] != values_[b][c]) return false;
    return true;
  };
  std::vector<std::vector<std::size_t>> all;
  for (std::size_t row = 0; row < rows(); ++row) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& group) { return same(group.front(), row); });
    if (found == all.end())
      all.push_back({row});
    else
      found->push_back(row);
  }
  return all;
}

std::size_t Table::count(const std::string& name) const {
  const std::vector<double> values = column(name);
  return static_cast<std::size_t>(
      std::count_if(values.begin(), values.end(), [](double v) { return !std::isnan(v) && v != 0.0; }));
}

std::string label_of(const std::vector<Column>& parameters, const std::vector<double>& values) {
  std::string text;
  for (std::size_t c = 0; c < parameters.size(); ++c)
    text += fmt::format("{}{} = {}", c == 0 ? "" : ", ", parameters[c].name, to_text(values[c]));
  return text;
}

std::string result_text(const Study& study, const std::vector<double>& results) {
  constexpr int most = 4;
  std::string text;
  int count = 0;
  for (const std::string& name : study.shown)
    for (std::size_t c = 0; c < study.results.size() && c < results.size(); ++c)
      if (study.results[c].name == name && !std::isnan(results[c]) && count++ < most)
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, brief(results[c], 3));
  return text;
}

std::string of_members(std::size_t some, std::size_t all) {
  return fmt::format("{} of {} members", some, all);
}

Study make_study(const SweepSettings& settings) {
  if (settings.study == "step_size") return step_size_study(settings);
  if (settings.study == "inexact") return inexact_study(settings);
  if (settings.study == "depth") return depth_study(settings);
  return width_study(settings);
}

std::vector<std::vector<double>> combinations(const std::vector<std::vector<double>>& lists) {
  std::vector<std::vector<double>> all{{}};
  for (const auto& list : lists) {
    std::vector<std::vector<double>> longer;
    for (const auto& start : all)
      for (const double value : list) {
        longer.push_back(start);
        longer.back().push_back(value);
      }
    all = std::move(longer);
  }
  return all;
}

std::vector<double> counting(std::uint64_t count) {
  std::vector<double> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0.0);
  return numbers;
}

std::string table_text(const Study& study, const Table& table) {
  const Lines lines = lines_of(study, table);
  std::vector<std::size_t> widths(lines[0].size(), 0);
  for (const auto& line : lines)
    for (std::size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], line[c].size());
  std::string text;
  for (const auto& line : lines) {
    for (std::size_t c = 0; c < line.size(); ++c)
      text += (c == 0 ? "" : "  ") + std::string(widths[c] - line[c].size(), ' ') + line[c];
    text += "\n";
  }
  for (std::size_t row = 0; row < table.rows(); ++row)
    if (!table.error(row).empty())
      text += fmt::format("failed: {}: {}\n", table.label(row), table.error(row));
  return text;
}

void write_sweep(const std::string& path, const Table& table, const RunFile::Named& attributes,
                 const RunFile::Config& config) {
  H5File file = H5File::create_in_memory(path);
  file.set_attribute("/", "schema", std::string("poise-sweep-1"));
  for (const auto& [name, value] : attributes) file.set_attribute("/", name, value);
  file.create_group("/config");
  for (const auto& [name, value] : config) file.set_attribute("/config", name, value);
  file.create_group("/members");
  const auto rows = static_cast<Index>(table.rows());
  file.write_rows("/member", {rows}, {0, rows}, counting(table.rows()));
  for (const Column& column : table.columns()) {
    const std::string name = "/members/" + column.name;
    const std::vector<double> values = table.column(column.name);
    file.write_rows(name, {rows}, {0, rows}, values);
    file.set_attribute(name, "meaning", column.meaning);
    file.set_dimensions(name, {"/member"});
  }
  file.create_group("/errors");
  for (std::size_t row = 0; row < table.rows(); ++row)
    if (!table.error(row).empty())
      file.set_attribute("/errors", fmt::format("member-{}", row), table.error(row));
  replace_file(path, file.image());
}

}  // namespace poise::sweep
