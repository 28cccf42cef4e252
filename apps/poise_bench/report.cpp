#include "poise_bench/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace poise {

BenchReport::BenchReport(MPI_Comm comm, const std::string& name, const BenchSettings& settings, Index samples,
                         const ProcessGrid& grid, const Timing& timing) {
  const double fastest = *std::min_element(timing.seconds.begin(), timing.seconds.end());
  const PeakMemory peak = peak_memory(comm);
  const std::string shape = std::to_string(grid.feature_ranks()) + "x" + std::to_string(grid.sample_ranks());
  add_text("case", name);
  add("m", static_cast<double>(settings.m));
  add("n", static_cast<double>(samples));
  add("q", static_cast<double>(settings.q));
  add("ranks", grid.size());
  add_text("grid", shape);
  add("seconds", median(timing.seconds));
  add("seconds_min", fastest);
  add("seconds_max", *std::max_element(timing.seconds.begin(), timing.seconds.end()));
  add("gflops", timing.gflops());
  add("dgemm_gflops", median(timing.dgemm_gflops));
  add("dgemm_gflops_max", *std::max_element(timing.dgemm_gflops.begin(), timing.dgemm_gflops.end()));
  add("share_of_dgemm", timing.share_of_dgemm());
  add("best_share_of_dgemm", timing.best_share_of_dgemm());
  add("products", static_cast<double>(timing.work.products));
  add("residual", timing.work.residual);
  add("peak_rss_mb", peak.most);
  add("rank0_rss_mb", peak.rank0);

  char line[200];
  std::snprintf(line, sizeof line,
                "%-12s %6lld %7lld %4lld %6s %11.3f %11.3f %8.1f %8.1f %7.3f %9lld %9.1e %8.0f", name.c_str(),
                static_cast<long long>(settings.m), static_cast<long long>(samples),
                static_cast<long long>(settings.q), shape.c_str(), 1e3 * median(timing.seconds),
                1e3 * fastest, timing.gflops(), median(timing.dgemm_gflops), timing.share_of_dgemm(),
                static_cast<long long>(timing.work.products), timing.work.residual, peak.most);
  row_ = line;
}

std::string BenchReport::header() {
  char line[200];
  std::snprintf(line, sizeof line, "%-12s %6s %7s %4s %6s %11s %11s %8s %8s %7s %9s %9s %8s", "case", "m",
                "n", "q", "grid", "median/ms", "fastest/ms", "GF/s", "dgemm", "share", "products", "residual",
                "peak/MB");
  return line;
}

void BenchReport::add(const std::string& key, double value) {
  entries_.emplace_back(key, std::isfinite(value) ? to_text(value) : "null");
}

void BenchReport::add_text(const std::string& key, const std::string& value) {
  entries_.emplace_back(key, "\"" + value + "\"");
}

std::string BenchReport::json() const {
  std::string text;
  for (const auto& [key, value] : entries_) text += (text.empty() ? "{\"" : ", \"") + key + "\": " + value;
  return text + "}";
}

}  // namespace poise
