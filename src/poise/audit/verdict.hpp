#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/theory/audit.hpp"

namespace poise {
inline namespace audit {

enum class RowState { held, not_held, not_verified, does_not_apply, observed };

/// One row of the verdict table.
struct Row {
  std::string id;     ///< for machines: "column_sums"
  std::string claim;  ///< for people
  std::string item;   ///< of THEORY.md; empty if the claim is about files
  double measured = std::numeric_limits<double>::quiet_NaN();
  double required = std::numeric_limits<double>::quiet_NaN();
  std::string relation = "<=";  ///< measured `relation` required
  RowState state = RowState::does_not_apply;
  Index step = -1;        ///< the step where the claim fails, or is nearest to failing
  std::string file = {};  ///< the checkpoint of that step; empty between checkpoints
  std::string note = {};  ///< why the claim does not apply, what was measured, or what went wrong
};

[[nodiscard]] std::string to_string(RowState state);

/// Collects the measurements of one claim at several points and keeps the point where the claim fails, or is
/// nearest to failing. Not collective. NaN counts as a failure.
class Worst {
 public:
  /// `relation`: "<=" or ">=". `first`: keep the first point that fails, even if a later point is worse.
  explicit Worst(std::string relation = "<=", bool first = false)
      : relation_(std::move(relation)), first_(first) {}
  void add(double measured, double required, Index step, const std::string& file = {});
  [[nodiscard]] bool empty() const { return points_ == 0; }
  [[nodiscard]] Index points() const { return points_; }
  /// The row with its verdict. Without any point the row does not apply, for the reason `why_not`. An empty
  /// reason says that the claim applies, but nothing was measured.
  [[nodiscard]] Row row(std::string id, std::string claim, std::string item, std::string why_not = {}) const;

 private:
  std::string relation_, file_;
  bool first_;
  double measured_ = 0.0, required_ = 0.0, badness_ = 0.0;
  Index step_ = -1, points_ = 0;
};

/// A row for a claim that does not apply to this run.
[[nodiscard]] Row does_not_apply(std::string id, std::string claim, std::string item, std::string why);

/// All rows, the same on all ranks. Not collective.
class VerdictTable {
 public:
  void add(Row row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  [[nodiscard]] std::vector<Row>& rows() { return rows_; }
  /// Whether no row failed.
  [[nodiscard]] bool held() const;
  /// Whether some row could be neither confirmed nor refuted.
  [[nodiscard]] bool has_unverified() const;
  /// The table as text for people; its last line is `verdict`.
  [[nodiscard]] std::string text() const;
  /// "verdict: all 17 rows held", or the names of the rows that did not hold, and the first step where one
  /// failed.
  [[nodiscard]] std::string verdict() const;

 private:
  std::vector<Row> rows_;
};

/// The measurements at the points of a run for a bound like Theorem 1, and the file names of the points that
/// are checkpoints. Not collective, the same on all ranks.
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
  /// inf_t κ_t; 0 if no point has a positive excess.
  [[nodiscard]] double smallest_kappa() const;

  /// Completes `row`, which has id, claim and item, with the verdict on E(t) <= E₀ exp(−κ λ_T t), where κ
  /// comes from `constants`; or on the bound with the integrated exponent, THEORY.md 5.1. `measured` is the
  /// largest ratio of the excess to its bound, or the ratio at the first violation. Does not check the floor
  /// of λ_min.
  [[nodiscard]] Row judge(Row row, AuditConstants constants, bool integrated) const;

 private:
  std::vector<AuditSample> samples_;
  std::vector<std::string> files_;
};

/// Facts about the run that the JSON has in addition to the rows.
struct AuditFacts {
  std::string run;
  int ranks = 1;
  std::string grid;  ///< "2x3"
  Index checkpoints = 0, first_step = 0, last_step = 0, replayed_steps = 0;
  double seconds = 0.0;
};

/// The verdict as JSON, schema "poise-audit-1": {"schema", "version", "git", "run", "ranks", "grid",
/// "checkpoints", "first_step", "last_step", "replayed_steps", "seconds", "held", "outcome", "rows": [{"id",
/// "claim", "item", "measured", "relation", "required", "state", "step", "file", "note"}]}. Numbers that are
/// not finite, and entries that a row does not have, are null.
[[nodiscard]] std::string to_json(const VerdictTable& table, const AuditFacts& facts);

}  // namespace audit
}  // namespace poise
