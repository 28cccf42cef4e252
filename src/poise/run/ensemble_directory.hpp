#pragma once

#include <mpi.h>

#include <optional>
#include <string>
#include <vector>

#include "poise/io/run_directory.hpp"
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

/// The folder of an ensemble: DIR/NAME/ are run directories, DIR/ensemble.txt the table, DIR/ensemble.h5
/// the results of the last start, DIR/DONE there once all members are done.
class EnsembleDirectory {
 public:
  /// Collective. Creates it and writes the table, and takes back what an earlier start wrote at its end.
  /// Throws bad_input, with nothing changed, where it or a member's folder holds a run and `resume` is not
  /// set, or where there is no ensemble to resume.
  EnsembleDirectory(MPI_Comm comm, const EnsembleSettings& settings, const EnsemblePlan& plan);

  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::string table_file() const { return path("ensemble.h5"); }
  /// Whether an earlier start has brought a member to its end.
  [[nodiscard]] bool was_done(std::size_t member) const { return done_[member] != 0; }

  /// Not collective. Whether the caller is the first of this start that asks for a member. Says so by a file
  /// that it creates: unlike one-sided MPI, a file system answers while the other ranks compute, on any
  /// network.
  [[nodiscard]] bool claim(const std::string& name) const;
  /// Not collective.
  void clear_claims() const;

  /// Collective on the group. The member's folder.
  void create(MPI_Comm group, const std::string& name) const;
  /// Collective on the group. Whether a member has a checkpoint to go on from; without one it
  /// begins anew.
  [[nodiscard]] bool prepare_resume(MPI_Comm group, const std::string& name) const;
  /// Not collective. Fills a record from the member's run file; one that cannot be read is told of on stderr.
  void read(MemberRecord& record) const;
  /// Collective.
  void mark_done() const;

 private:
  void require_new(const EnsemblePlan& plan) const;

  MPI_Comm comm_;
  std::string path_, claims_;
  std::optional<RunLock> lock_;
  std::vector<int> done_;
};

}  // namespace poise
