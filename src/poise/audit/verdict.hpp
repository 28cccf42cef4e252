#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {

enum class RowState { held, not_held, not_verified, does_not_apply, observed };

/// One line of the verdict.
struct Row {
  std::string id;     ///< for machines: "column_sums"
  std::string claim;  ///< for people
  std::string item;   ///< of THEORY.md; empty: of the files
  double measured = std::numeric_limits<double>::quiet_NaN();
  double required = std::numeric_limits<double>::quiet_NaN();
  std::string relation = "<=";  ///< measured `relation` required
  RowState state = RowState::does_not_apply;
  Index step = -1;        ///< where it was measured: where the claim fails, or is nearest to failing
  std::string file = {};  ///< the checkpoint of that step; empty between checkpoints
  std::string note = {};  ///< why it does not apply, what was looked at, what went wrong
};

[[nodiscard]] std::string to_string(RowState state);

/// What was measured of one claim at several points: keeps the one where it fails, or is nearest to failing.
/// Not collective; NaN fails.
class Worst {
 public:
  /// `relation`: "<=" or ">=". `first`: the first point that fails stays, whatever follows from it later.
  explicit Worst(std::string relation = "<=", bool first = false)
      : relation_(std::move(relation)), first_(first) {}
  void add(double measured, double required, Index step, const std::string& file = {});
  [[nodiscard]] bool empty() const { return points_ == 0; }
  [[nodiscard]] Index points() const { return points_; }
  /// The row with its verdict; without any point it does not apply, for the reason `why_not`. An empty reason
  /// says that it does apply, but nothing was measured.
  [[nodiscard]] Row row(std::string id, std::string claim, std::string item, std::string why_not = {}) const;

 private:
  std::string relation_, file_;
  bool first_;
  double measured_ = 0.0, required_ = 0.0, badness_ = 0.0;
  Index step_ = -1, points_ = 0;
};

/// A row of a claim that says nothing about this run.
[[nodiscard]] Row does_not_apply(std::string id, std::string claim, std::string item, std::string why);

/// All rows. Not collective, the same on all ranks.
class VerdictTable {
 public:
  void add(Row row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  [[nodiscard]] std::vector<Row>& rows() { return rows_; }
  /// Whether no row failed.
  [[nodiscard]] bool held() const;
  /// Whether a row could be neither confirmed nor refuted.
  [[nodiscard]] bool has_unverified() const;
  /// The table as a person reads it, ending with the line of the verdict.
  [[nodiscard]] std::string text() const;
  /// "verdict: all 17 rows held", or which did not, and where first.
  [[nodiscard]] std::string verdict() const;

 private:
  std::vector<Row> rows_;
};

}  // namespace poise
