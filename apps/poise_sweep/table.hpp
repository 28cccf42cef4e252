#pragma once

#include <string>
#include <vector>

#include "poise/base/ensemble.hpp"

namespace poise::sweep {

struct Column {
  std::string name;
  std::string meaning;  ///< for readers of the file
};

/// The members of a sweep as rows: parameters, results (NaN of a member that failed), group and seconds.
class Table {
 public:
  /// `members[k]` are the parameters of member k.
  Table(std::vector<Column> parameters, const std::vector<Column>& results,
        const std::vector<std::vector<double>>& members, const std::vector<MemberResult>& done);

  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }
  [[nodiscard]] std::size_t parameters() const { return parameters_; }
  [[nodiscard]] std::size_t rows() const { return values_.size(); }
  /// Throws failure if there is no such column.
  [[nodiscard]] std::size_t index(const std::string& name) const;
  [[nodiscard]] double at(std::size_t row, const std::string& name) const {
    return values_[row][index(name)];
  }
  void set(std::size_t row, const std::string& name, double value) { values_[row][index(name)] = value; }
  [[nodiscard]] std::vector<double> column(const std::string& name) const;
  /// Why a member failed; empty if it did not.
  [[nodiscard]] const std::string& error(std::size_t row) const { return errors_[row]; }
  [[nodiscard]] std::size_t failures() const;
  /// "m = 8, gamma = 0.5, seed = 1"
  [[nodiscard]] std::string label(std::size_t row) const;
  /// Rows with equal parameters but for `ignored`, in the order of their first one.
  [[nodiscard]] std::vector<std::vector<std::size_t>> groups(const std::string& ignored) const;
  /// How many rows have a value other than 0 (and not NaN) in a column.
  [[nodiscard]] std::size_t count(const std::string& name) const;

 private:
  std::vector<Column> columns_;
  std::size_t parameters_;
  std::vector<std::vector<double>> values_;
  std::vector<std::string> errors_;
};

/// "3 of 5 members"
[[nodiscard]] std::string of_members(std::size_t some, std::size_t all);

}  // namespace poise::sweep
