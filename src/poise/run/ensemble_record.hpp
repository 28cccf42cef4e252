#pragma once

#include <string>
#include <vector>

#include "poise/io/run_file.hpp"
#include "poise/run/ensemble_plan.hpp"

namespace poise {

/// What became of a member. `waiting`: this start did not begin it.
enum class MemberStatus { done, stopped, failed, waiting };
[[nodiscard]] std::string to_string(MemberStatus status);

/// A row of the table of results.
struct MemberRecord {
  std::string name;
  MemberStatus status = MemberStatus::waiting;
  std::string error;            ///< why it failed
  double seconds = 0.0;         ///< that its starts took, as its run file says
  int group = -1;               ///< of ranks, which did it in this start; -1: none
  NamedOptions options;         ///< resolved
  std::vector<double> numbers;  ///< of run_numbers()
  std::vector<double> last;     ///< of HistoryRow::columns(): the last row of the history

  /// Not collective. Fills options, seconds, numbers and last from a run file; NaN for numbers not there.
  void read(const std::string& run_file);
  /// The last value of a column of the history.
  [[nodiscard]] double last_of(const std::string& column) const;
};

/// Columns that the run file has as attributes.
[[nodiscard]] const std::vector<std::string>& run_numbers();

/// Not collective. The table that apps/gather_runs.py makes of a folder of runs (schema poise-runs-1), with
/// columns status, error, seconds and group besides. Replaces the file as a whole. Throws failure.
void write_ensemble(const std::string& path, const std::vector<MemberRecord>& records,
                    const RunFile::Named& attributes);

}  // namespace poise
