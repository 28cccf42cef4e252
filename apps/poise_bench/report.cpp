#include "poise_bench/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace poise::bench {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const H5Value& value) {
  if (const auto* word = std::get_if<std::string>(&value)) return *word;
  return Json::parse(json_number(std::get<double>(value)));  // by its text, so that whole numbers stay whole
}

}  // namespace

BenchReport::BenchReport(MPI_Comm comm, const std::string& name, const BenchSettings& settings, Index samples,
                         const ProcessGrid& grid, const Timing& timing) {
  const double fastest = *std::min_element(timing.seconds.begin(), timing.seconds.end());
  const Work work = timing.work();
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
  add("seconds_mean", mean(timing.seconds));
  add("gflops", timing.gflops());
  add("dgemm_gflops", median(timing.dgemm_gflops));
  add("dgemm_gflops_max", *std::max_element(timing.dgemm_gflops.begin(), timing.dgemm_gflops.end()));
  add("share_of_dgemm", timing.share_of_dgemm());
  add("best_share_of_dgemm", timing.best_share_of_dgemm());
  add("products", work.products);
  add("residual", work.residual);
  add_work(work, grid);
  add("peak_rss_mb", peak.most);
  add("rank0_rss_mb", peak.rank0);

  char line[200];
  std::snprintf(line, sizeof line,
                "%-17s %6lld %7lld %4lld %6s %11.3f %11.3f %8.1f %8.1f %7.3f %9lld %9.1e %8.0f", name.c_str(),
                static_cast<long long>(settings.m), static_cast<long long>(samples),
                static_cast<long long>(settings.q), shape.c_str(), 1e3 * median(timing.seconds),
                1e3 * fastest, timing.gflops(), median(timing.dgemm_gflops), timing.share_of_dgemm(),
                static_cast<long long>(std::llround(work.products)), work.residual, peak.most);
  row_ = line;
}

std::string BenchReport::header() {
  char line[200];
  std::snprintf(line, sizeof line, "%-17s %6s %7s %4s %6s %11s %11s %8s %8s %7s %9s %9s %8s", "case", "m",
                "n", "q", "grid", "median/ms", "fastest/ms", "GF/s", "dgemm", "share", "products", "residual",
                "peak/MB");
  return line;
}

void BenchReport::add_work(const Work& work, const ProcessGrid& grid) {
  if (work.samples == 0.0) return;
  add("products_per_sample", work.columns / work.samples);
  add("equilibrium_iterations", work.equilibrium_iterations);
  add("adjoint_iterations", work.adjoint_iterations);
  add("fallbacks", work.fallbacks);
  if (grid.feature_ranks() == 1) return;
  // Of the products alone; the gradient gathers the equilibria once more.
  add("comm_bytes", work.bytes);
  add("comm_messages", work.messages);
  add("comm_bytes_model", work.bytes_model);
}

void BenchReport::add(const std::string& key, double value) {
  entries_.emplace_back(key, value);
}

void BenchReport::add_text(const std::string& key, const std::string& value) {
  entries_.emplace_back(key, value);
}

std::string BenchReport::json() const {
  Json json = Json::object();
  for (const auto& [key, value] : entries_) json[key] = json_of(value);
  // One line with a blank after commas, which dump writes as a line break; none stands inside of a text.
  std::string line;
  for (const char c : json.dump(0, ' ', false, Json::error_handler_t::replace)) {
    if (c != '\n')
      line += c;
    else if (line.back() == ',')
      line += ' ';
  }
  return line;
}

}  // namespace poise::bench
