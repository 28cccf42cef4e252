#pragma once

#include <mpi.h>

#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/log_event.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
inline namespace io {

/// The content of a run file: the rows of the history, in the order of `columns` (NaN means "not measured at
/// this step"), the attempts and the options.
struct History {
  std::vector<std::string> columns;
  std::vector<std::vector<double>> rows;
  /// Names and values of every attempt (a start or a resumption), and the options of the last attempt. Only
  /// on rank 0.
  std::vector<std::vector<std::pair<std::string, H5Value>>> attempts;
  std::vector<std::pair<std::string, std::string>> config;
  /// One column; throws bad_input if no column has this name.
  [[nodiscard]] std::vector<double> column(const std::string& name) const;
};

/// What a column of the history means, for readers of the file: attributes of /history/COLUMN in the style of
/// the CF conventions.
struct ColumnMeaning {
  std::string long_name;
  std::string units = "1";                                      ///< "s"; "1": a plain number
  double valid_min = -std::numeric_limits<double>::infinity();  ///< written if it is finite
  double valid_max = std::numeric_limits<double>::infinity();
};

/// DIR/run.h5, schema "poise-run-1": /history/COLUMN (extendible 1-D sets with /history/t as dimension
/// scale), /config (resolved options as attributes of their types), provenance as root attributes, and a
/// group /attempts/0001, 0002, … with attributes for every attempt. The root attributes and /config describe
/// the last attempt. The root attribute `checksum` has the CRC-32 of the whole file, which is verified when
/// the file is read. It is inside the file, so that programs that open the file for writing without changing
/// it keep it. A file without a checksum (written by another program) is read with a warning; a file with a
/// wrong checksum is damaged.
///
/// The history of many steps is thinned: see Thinning. Rank 0 keeps the history, and every flush replaces the
/// whole file by rename: a reader sees a complete file at any time, even after kill -9, and the file is never
/// kept open or locked. `append` flushes when 2 s and 20 times the duration of the last flush have passed, so
/// that flushing takes less than 5 % of the run.
class RunFile {
 public:
  using Named = std::vector<std::pair<std::string, H5Value>>;
  using Config = std::vector<std::pair<std::string, std::string>>;

  /// Which rows are kept, so that a long run does not fill memory and disk. The newest row is always kept.
  /// The choice depends only on the steps, so that a resumed run keeps the same rows as an uninterrupted one.
  struct Thinning {
    Index steps_a_row = 1;   ///< steps from one row to the next
    Index record_every = 0;  ///< keep the rows whose step is a multiple of this; 0: automatic
  };
  /// Automatic thinning: whenever there are so many rows, every second row is removed, and later rows are
  /// added half as often.
  static constexpr Index most_rows = 8192;

  /// Collective; writes the file at once. `columns` must contain "t" and "step". `attributes`: version, git,
  /// ranks, …; the schema is added. `past`: the history to continue; its columns are matched by name, columns
  /// that it lacks become NaN, and its attempts stay as they are. `attempt`: attributes of the new attempt.
  /// `kinds`: of the options in `config`, which is stored with these types. Only rank 0's arguments count.
  /// Throws failure if the file cannot be written.
  RunFile(MPI_Comm comm, std::string path, std::vector<std::string> columns, Named attributes, Config config,
          const History& past = {}, Named attempt = {}, OptionKinds kinds = {});
  /// Not collective. Call before the first row; only rank 0's call counts.
  void set_thinning(const Thinning& thinning) { thinning_ = thinning; }
  /// Rank 0 writes unsaved rows, so that an error elsewhere loses no history; does not communicate.
  ~RunFile();
  RunFile(const RunFile&) = delete;
  RunFile& operator=(const RunFile&) = delete;

  /// Not collective; only rank 0's call counts. What columns mean, by their names.
  void set_meanings(std::map<std::string, ColumnMeaning> meanings) { meanings_ = std::move(meanings); }
  /// Not collective; only rank 0's call counts. Sets an attribute of this attempt, for the next flush.
  void note(const std::string& name, H5Value value);
  /// The same for an attribute of the root group.
  void set_attribute(const std::string& name, H5Value value);
  /// Collective. Adds a row (rank 0's values count). Throws failure, on all ranks, if the row does not have
  /// one entry per column, or if a flush was due and failed.
  void append(const std::vector<double>& row);
  /// Collective. Writes the file now.
  void flush();
  /// Collective. Like `flush` but throws nothing, for the handling of an error that is reported itself.
  void flush_if_possible() noexcept;
  /// Collective. Removes the rows after `step`, which a resumed run makes again, and flushes.
  void truncate_after(Index step);

  /// Collective. The history of a run file, on all ranks, its attempts and config on rank 0. Throws
  /// bad_input.
  [[nodiscard]] static History load(MPI_Comm comm, const std::string& path);
  /// Not collective. `mark_for_seal` reserves a place for the checksum in a file; `sealed` writes the
  /// checksum into the image of the file.
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
  OptionKinds kinds_;
  History history_;  // only rank 0 has the rows
  std::map<std::string, ColumnMeaning> meanings_;
  Thinning thinning_;
  Index stride_ = 1;  // of the kept rows, for automatic thinning
  bool unsaved_ = true;
  double last_flush_ = 0.0;      // time of its end
  double flush_duration_ = 0.0;  // seconds
};

}  // namespace io
}  // namespace poise
