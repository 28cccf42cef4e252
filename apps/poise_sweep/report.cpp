#include "poise_sweep/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/text.hpp"

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
    if (!table.error(row).empty()) text += "failed: " + table.label(row) + ": " + table.error(row) + "\n";
  return text;
}

}  // namespace poise::sweep
