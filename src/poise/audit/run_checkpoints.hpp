#pragma once

#include <mpi.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "poise/audit/verdict.hpp"
#include "poise/io/checkpoint.hpp"

namespace poise {

/// A checkpoint of a run, before anything of its content is trusted.
struct StoredPoint {
  std::string path, name;  ///< name: without the folder
  Index step = 0;          ///< as the file says
  double t = 0.0;
  std::string damage;  ///< which check it failed; empty: none
  std::vector<std::pair<std::string, std::string>> config;

  /// Of an option; empty if it has none.
  [[nodiscard]] std::string option(const std::string& option_name) const;
};

/// All checkpoints of a run directory, oldest first. Files that a running run deletes meanwhile are left out.
/// Files are held open, up to some number, so that their content stays when they are deleted.
class RunCheckpoints {
 public:
  /// Collective. Reads what is needed to tell one run from another, and verifies every file. Throws bad_input
  /// if there is no such run, or if checkpoints are of different runs ("mixed").
  RunCheckpoints(MPI_Comm comm, const std::string& run);

  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] const std::vector<StoredPoint>& points() const { return points_; }
  /// Files that cannot be read at all, with the reason.
  struct Unreadable {
    std::string name, reason;
  };
  [[nodiscard]] const std::vector<Unreadable>& unreadable() const { return unreadable_; }
  /// Files that vanished while they were read.
  [[nodiscard]] Index vanished() const { return vanished_; }

  /// Collective. The content of point k, or null if its file has vanished by now. Stays until the next call.
  const Checkpoint* open(std::size_t k);
  /// Collective. Gives the file of point k back.
  void close(std::size_t k);
  /// Not collective. Point k turned out not to be readable; it stays where it is.
  void report_unreadable(std::size_t k, const std::string& reason);

 private:
  static constexpr std::size_t most_open = 256;  // files; systems allow about a thousand
  /// Adds the checkpoints that are new since the last listing: what is held stays. Returns how many vanished.
  Index list();
  void read(Index step);
  void require_one_run();
  void remove(std::size_t k);
  [[nodiscard]] bool exists(const std::string& path) const;

  MPI_Comm comm_;
  std::string folder_;
  std::vector<StoredPoint> points_;
  std::vector<std::optional<Checkpoint>> held_;  // of the points
  std::optional<Checkpoint> current_;
  std::vector<Unreadable> unreadable_;
  Index vanished_ = 0;
  Index last_listed_ = -1;  // a step
};

/// Without what lies behind the first line (HDF5's own stack).
[[nodiscard]] std::string first_line(const std::string& text);

/// Not collective. The rows about the files themselves: that they are whole, and in order.
void add_file_rows(const RunCheckpoints& files, VerdictTable& table);

}  // namespace poise
