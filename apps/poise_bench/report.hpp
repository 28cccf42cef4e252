#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise_bench/measure.hpp"

namespace poise {

/// What is printed of one case: a line of a table and one line of JSON.
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

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
  std::string row_;
};

}  // namespace poise
