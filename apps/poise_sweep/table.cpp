#include "poise_sweep/table.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise::sweep {

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
      throw failure("a member returned " + std::to_string(result.values.size()) + " numbers, not " +
                    std::to_string(results.size()));
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
  if (found == columns_.end()) throw failure("the sweep has no column '" + name + "'");
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
  std::string text;
  for (std::size_t c = 0; c < parameters_; ++c)
    text += (c == 0 ? "" : ", ") + columns_[c].name + " = " + to_text(values_[row][c]);
  return text;
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

std::string of_members(std::size_t some, std::size_t all) {
  return std::to_string(some) + " of " + std::to_string(all) + " members";
}

}  // namespace poise::sweep
