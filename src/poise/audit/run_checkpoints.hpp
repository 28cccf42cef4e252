#pragma once

#include <mpi.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "poise/audit/verdict.hpp"
#include "poise/io/checkpoint.hpp"

namespace poise {
inline namespace audit {

/// A checkpoint of a run, whose content is not trusted yet.
struct StoredPoint {
  std::string path, name;  ///< name: without the folder
  Index step = 0;          ///< from the content of the file
  double t = 0.0;
  std::string damage;  ///< the check that it failed; empty if it passed all
  std::vector<std::pair<std::string, std::string>> config;

  /// The value of an option; empty if the checkpoint does not have the option.
  [[nodiscard]] std::string option(const std::string& option_name) const;
};

/// All checkpoints of a run directory, oldest first. Files that a running program deletes meanwhile are left
/// out. Up to some number, files are kept open, so that their content stays available after they are deleted.
class RunCheckpoints {
 public:
  /// Collective. Reads the options that identify a run, and verifies every file. Throws bad_input if there is
  /// no such run, or if the checkpoints belong to different runs ("mixes checkpoints").
  RunCheckpoints(MPI_Comm comm, const std::string& run);

  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] const std::vector<StoredPoint>& points() const { return points_; }
  /// A file that cannot be read at all, and the reason.
  struct Unreadable {
    std::string name, reason;
  };
  [[nodiscard]] const std::vector<Unreadable>& unreadable() const { return unreadable_; }
  /// Number of files that vanished while they were read.
  [[nodiscard]] Index vanished() const { return vanished_; }

  /// Collective. The content of point k, or null if its file has vanished by now. Valid until the next call.
  const Checkpoint* open(std::size_t k);
  /// Collective. Closes the file of point k.
  void close(std::size_t k);
  /// Not collective. Adds point k to `unreadable`; the point stays in `points`.
  void report_unreadable(std::size_t k, const std::string& reason);

 private:
  static constexpr std::size_t most_open = 256;  // systems allow about a thousand open files
  /// Adds the checkpoints that are new since the last call. Returns how many vanished while they were read.
  Index list();
  void read(Index step);
  void require_one_run();
  void remove(std::size_t k);
  [[nodiscard]] bool exists(const std::string& path) const;

  MPI_Comm comm_;
  std::string folder_;
  std::vector<StoredPoint> points_;
  std::vector<std::optional<Checkpoint>> held_;  // the open files, one entry per point
  std::optional<Checkpoint> current_;
  std::vector<Unreadable> unreadable_;
  Index vanished_ = 0;
  Index last_listed_ = -1;  // step of the newest listed checkpoint
};

/// The first line of a message, without the HDF5 error stack that may follow.
[[nodiscard]] std::string first_line(const std::string& text);

/// Not collective. Adds the rows about the files: they are undamaged, and their times increase.
void add_file_rows(const RunCheckpoints& files, VerdictTable& table);

}  // namespace audit
}  // namespace poise
