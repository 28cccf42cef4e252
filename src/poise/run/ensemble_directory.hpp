#pragma once

#include <mpi.h>

#include <optional>
#include <string>
#include <vector>

#include "poise/io/run_directory.hpp"
#include "poise/io/run_file.hpp"
#include "poise/run/ensemble_plan.hpp"
#include "poise/run/members.hpp"

namespace poise {
inline namespace run {

/// A member's row in the table of results.
struct MemberRecord {
  std::string name;
  MemberStatus status = MemberStatus::waiting;
  std::string error;            ///< why it failed
  double seconds = 0.0;         ///< duration of all its attempts, from its run file
  int group = -1;               ///< the group of ranks that ran it in this attempt; -1: none
  NamedOptions options;         ///< with defaults
  std::vector<double> numbers;  ///< values of run_numbers()
  std::vector<double> last;     ///< values of HistoryRow::columns() in the last row of the history

  /// Not collective. Fills options, seconds, numbers and last from a run file; NaN for numbers it lacks.
  void read(const std::string& run_file);
  /// The last value of a column of the history.
  [[nodiscard]] double last_of(const std::string& column) const;
};

/// Names of the columns whose values are attributes of the run file.
[[nodiscard]] const std::vector<std::string>& run_numbers();

/// Not collective. Writes the table that apps/gather_runs.py makes from a folder of runs (schema
/// poise-runs-1), with the additional columns status, error, seconds and group. Replaces the whole file.
/// Throws failure.
void write_ensemble(const std::string& path, const std::vector<MemberRecord>& records,
                    const RunFile::Named& attributes);

/// The folder of an ensemble: DIR/NAME/ are run directories, DIR/ensemble.txt is the table, DIR/options.txt
/// has the options of all members, DIR/ensemble.h5 has the results of the last attempt, and DIR/DONE exists
/// once all members are done.
class EnsembleDirectory {
 public:
  /// Collective. Creates the folder, writes the table and the options, and removes ensemble.h5 and DONE of an
  /// earlier attempt. Throws bad_input, with nothing changed, if the folder or a member's folder holds a run
  /// and `resume` is not set, or if there is no ensemble to resume.
  EnsembleDirectory(MPI_Comm comm, const EnsembleSettings& settings, const EnsemblePlan& plan);

  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::string table_file() const { return path("ensemble.h5"); }
  /// Whether a member reached its end in an earlier attempt.
  [[nodiscard]] bool was_done(std::size_t member) const { return done_[member] != 0; }

  /// Not collective. Whether the caller is the first of this attempt to claim a member. A claim is a file
  /// that the caller creates: unlike one-sided MPI, a file system answers on any network while the other
  /// ranks compute.
  [[nodiscard]] bool claim(const std::string& name) const;
  /// Not collective. Removes the claims of all attempts.
  void clear_claims() const;

  /// Collective on the group. Creates the member's folder.
  void create(MPI_Comm group, const std::string& name) const;
  /// Collective on the group. Whether a member has a checkpoint to resume from; else it begins anew.
  [[nodiscard]] bool prepare_resume(MPI_Comm group, const std::string& name) const;
  /// Not collective. Fills a record from the member's run file; warns if the file cannot be read.
  void read(MemberRecord& record) const;
  /// Collective. Writes DONE.
  void mark_done() const;

 private:
  void require_new(const EnsemblePlan& plan) const;

  MPI_Comm comm_;
  std::string path_, claims_;
  std::optional<RunLock> lock_;
  std::vector<int> done_;
};

}  // namespace run
}  // namespace poise
