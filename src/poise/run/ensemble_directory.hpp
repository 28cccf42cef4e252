#pragma once

#include <mpi.h>

#include <optional>
#include <string>
#include <vector>

#include "poise/io/run_lock.hpp"
#include "poise/run/ensemble_plan.hpp"
#include "poise/run/ensemble_record.hpp"

namespace poise {

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
