#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/theory/audit.hpp"

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

/// What was measured at the points of a run for a bound of the form of Theorem 1, with the names of the files
/// of those that are checkpoints. Not collective, the same on all ranks.
class RateSamples {
 public:
  void add(const AuditSample& sample, const std::string& file) {
    samples_.push_back(sample);
    files_.push_back(file);
  }
  [[nodiscard]] bool empty() const { return samples_.empty(); }
  [[nodiscard]] Index size() const { return static_cast<Index>(samples_.size()); }
  [[nodiscard]] const std::vector<AuditSample>& samples() const { return samples_; }
  [[nodiscard]] const std::vector<std::string>& files() const { return files_; }
  /// inf_t κ_t; 0 if no excess was seen.
  [[nodiscard]] double smallest_kappa() const;

  /// `row`, which has id, claim and item, with the verdict on E(t) <= E₀ exp(−κ λ_T t), κ of `constants`; or
  /// with the integrated exponent, THEORY.md 5.1. Measured is the largest excess over what is allowed; at the
  /// first violation, if there is one. The floor of λ_min is no part of it.
  [[nodiscard]] Row judge(Row row, AuditConstants constants, bool integrated) const;

 private:
  std::vector<AuditSample> samples_;
  std::vector<std::string> files_;
};

/// What is said of the run beside the rows: names and values.
struct AuditFacts {
  std::string run;
  int ranks = 1;
  std::string grid;  ///< "2x3"
  Index checkpoints = 0, first_step = 0, last_step = 0, replayed_steps = 0;
  double seconds = 0.0;
};

/// The verdict for machines, schema "poise-audit-1": {"schema", "version", "git", "run", "ranks", "grid",
/// "checkpoints", "first_step", "last_step", "replayed_steps", "seconds", "held", "rows": [{"id", "claim",
/// "item", "measured", "relation", "required", "state", "step", "file", "note"}]}. Numbers that are not
/// finite, and what a row does not have, are null.
[[nodiscard]] std::string to_json(const VerdictTable& table, const AuditFacts& facts);

}  // namespace poise
