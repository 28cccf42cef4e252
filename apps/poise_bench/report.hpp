#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise/io/hdf5.hpp"
#include "poise_bench/measure.hpp"

namespace poise::bench {

/// The results of one case: a line of the table and a line of JSON. Files get the same entries.
class BenchReport {
 public:
  /// Collective on `comm` (peak memory).
  BenchReport(MPI_Comm comm, const std::string& name, const BenchSettings& settings, Index samples,
              const ProcessGrid& grid, const Timing& timing);
  void add(const std::string& key, double value);
  void add_text(const std::string& key, const std::string& value);

  [[nodiscard]] std::string json() const;
  [[nodiscard]] std::string row() const { return row_; }
  static std::string header();
  /// Names and values in the order of the JSON; a number that is not finite is null there.
  [[nodiscard]] const std::vector<std::pair<std::string, H5Value>>& entries() const { return entries_; }

 private:
  void add_work(const Work& work, const ProcessGrid& grid);

  std::vector<std::pair<std::string, H5Value>> entries_;
  std::string row_;
};

/// Collective. Throws bad_input, on all ranks, if the name does not end in .csv or .h5 or the file could not
/// be written; does not change an existing file. Does nothing if the name is empty.
void check_output(MPI_Comm comm, const std::string& path);
/// Not collective. Replaces the file. CSV: a first row with the names of all columns, then one row per
/// report, with empty entries for columns that the report does not have. HDF5: one group with attributes per
/// report. Does nothing if the name is empty.
void write_output(const std::string& path, const std::vector<BenchReport>& reports);

}  // namespace poise::bench
