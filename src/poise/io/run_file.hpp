#pragma once

#include <mpi.h>

#include <string>
#include <utility>
#include <vector>

#include "poise/base/log_event.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {

/// What a run file holds: the rows of the history, in the order of `columns` (NaN stands for "not measured at
/// this step"), and who made it.
struct History {
  std::vector<std::string> columns;
  std::vector<std::vector<double>> rows;
  /// Names and values of every attempt (a start or a resumption), and the options of the last one. On rank 0
  /// only.
  std::vector<std::vector<std::pair<std::string, H5Value>>> attempts;
  std::vector<std::pair<std::string, std::string>> config;
  /// One column; throws bad_input if there is none of this name.
  [[nodiscard]] std::vector<double> column(const std::string& name) const;
};

/// DIR/run.h5, schema "poise-run-1": /history/COLUMN (extendible 1-D sets with /history/t as dimension
/// scale), /config (resolved options as text attributes), provenance as root attributes, and a group
/// /attempts/0001, 0002, … with attributes for every attempt. Root and /config are those of the last attempt.
/// The root attribute `checksum` has the CRC-32 of the whole file, which is verified when it is read again.
/// It stands inside, so that a look at the file in a mode that may write does not remove it; a file without
/// one (written again by another program) is taken with a warning, one with a wrong one is damaged.
///
/// A history of many steps is thinned: see Thinning. Rank 0 keeps the history, and every flush replaces the
/// whole file by rename: a reader sees a complete file at any time, also after kill -9, and no file is ever
/// held open or locked. Besides `flush`, `append` flushes once 2 s and 20 times the duration of the last
/// flush have passed, so that flushing takes less than 5 % of the run.
class RunFile {
 public:
  using Named = std::vector<std::pair<std::string, H5Value>>;
  using Config = std::vector<std::pair<std::string, std::string>>;

  /// Which rows stay, so that a long run does not fill memory and disk. The newest row always does. A
  /// function of the steps alone: a resumed run keeps what the straight one does.
  struct Thinning {
    Index steps_a_row = 1;   ///< rows come every so many steps
    Index record_every = 0;  ///< rows of steps that this divides stay; 0: automatic
  };
  /// Automatic: whenever there are this many rows, every second one goes, and from then on comes half as
  /// often.
  static constexpr Index most_rows = 8192;

  /// Collective; writes the file at once. `columns` must hold "t" and "step". `attributes`: version, git,
  /// ranks, …; the schema is added. `past`: the history to continue; its columns are matched by name, those
  /// it lacks become NaN; its attempts stay as they are. `attempt`: what is known of the new one. Only rank
  /// 0's arguments count. Throws failure if the file cannot be written.
  RunFile(MPI_Comm comm, std::string path, std::vector<std::string> columns, Named attributes, Config config,
          const History& past = {}, Named attempt = {});
  /// Not collective. Before the first row; rank 0's counts.
  void set_thinning(const Thinning& thinning) { thinning_ = thinning; }
  /// Rank 0 writes what is not yet written, so that an error elsewhere loses no history; does not
  /// communicate.
  ~RunFile();
  RunFile(const RunFile&) = delete;
  RunFile& operator=(const RunFile&) = delete;

  /// Not collective; rank 0's counts. Sets a value of this attempt, for the next flush.
  void note(const std::string& name, H5Value value);
  /// Collective. Adds a row (rank 0's counts). Throws failure, on all ranks, if it has not one entry a column
  /// or if a flush that was due failed.
  void append(const std::vector<double>& row);
  /// Collective. Writes the file now.
  void flush();
  /// Collective. The same on the way out of an error, which is the one to report: throws nothing.
  void flush_if_possible() noexcept;
  /// Collective. Forgets rows after `step` and flushes: what a resumed run does again.
  void truncate_after(Index step);

  /// Collective. The history of a run file, on all ranks, its attempts and config on rank 0. Throws
  /// bad_input.
  [[nodiscard]] static History load(MPI_Comm comm, const std::string& path);
  /// Not collective. Leaves room for the checksum in a file that is written; `sealed` puts it into its image.
  static void mark_for_seal(H5File& file);
  [[nodiscard]] static std::string sealed(std::string image);

 private:
  void write();
  [[nodiscard]] bool is_kept(double step) const;
  void add_row(const std::vector<double>& row);
  [[nodiscard]] static LogEvent::Scope log_flush();
  [[nodiscard]] bool due() const;

  MPI_Comm comm_;
  int rank_ = 0;
  std::string path_;
  Named attributes_;
  Config config_;
  History history_;  // rows on rank 0 only
  Thinning thinning_;
  Index stride_ = 1;  // of rows that stay, where that is automatic
  bool unsaved_ = true;
  double last_flush_ = 0.0;      // when it ended
  double flush_duration_ = 0.0;  // seconds
};

}  // namespace poise
