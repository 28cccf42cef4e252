#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise/io/hdf5.hpp"
#include "poise_bench/measure.hpp"

namespace poise::bench {

/// What is printed of one case: a line of a table and one line of JSON. Files get the same entries.
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

}  // namespace poise::bench
