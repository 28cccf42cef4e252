#include "poise_bench/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "poise/base/agree.hpp"
#include "poise/base/version.hpp"
#include "poise/io/durable.hpp"
#include "poise/run/usage.hpp"

namespace poise::bench {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const H5Value& value) {
  if (const auto* word = std::get_if<std::string>(&value)) return *word;
  return Json::parse(json_number(std::get<double>(value)));  // by its text, so that whole numbers stay whole
}

std::string text_of(const H5Value& value) {
  if (const auto* word = std::get_if<std::string>(&value)) return *word;
  const double number = std::get<double>(value);
  return std::isfinite(number) ? to_text(number) : "";
}

std::string csv(const std::vector<BenchReport>& reports) {
  std::vector<std::string> columns;
  for (const BenchReport& report : reports)
    for (const auto& [key, value] : report.entries())
      if (std::find(columns.begin(), columns.end(), key) == columns.end()) columns.push_back(key);
  std::string text;
  for (const std::string& column : columns) text += (text.empty() ? "" : ",") + column;
  for (const BenchReport& report : reports) {
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const auto found = std::find_if(report.entries().begin(), report.entries().end(),
                                      [&](const auto& entry) { return entry.first == columns[c]; });
      text += c == 0 ? "\n" : ",";
      if (found != report.entries().end()) text += text_of(found->second);
    }
  }
  return text + "\n";
}

std::string hdf5(const std::string& path, const std::vector<BenchReport>& reports) {
  H5File file = H5File::create_in_memory(path);
  file.set_attribute("/", "schema", std::string("poise-bench-1"));
  file.set_attribute("/", "version", version());
  file.set_attribute("/", "git", git_commit());
  for (const BenchReport& report : reports) {
    const std::string name = "/" + std::get<std::string>(report.entries().front().second);
    std::string group = name;
    for (int k = 2; file.exists(group); ++k) group = fmt::format("{}_{}", name, k);
    file.create_group(group);
    for (const auto& [key, value] : report.entries()) file.set_attribute(group, key, value);
  }
  return file.image();
}

}  // namespace

BenchReport::BenchReport(MPI_Comm comm, const std::string& name, const BenchSettings& settings, Index samples,
                         const ProcessGrid& grid, const Timing& timing) {
  const double fastest = *std::min_element(timing.seconds.begin(), timing.seconds.end());
  const Work work = timing.work();
  const PeakMemory peak = peak_memory(comm);
  const std::string shape = fmt::format("{}x{}", grid.feature_ranks(), grid.sample_ranks());
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

  row_ = fmt::format(
      "{:<17} {:6} {:7} {:4} {:>6} {:11.3f} {:11.3f} {:8.1f} {:8.1f} {:7.3f} {:9} {:9.1e} {:8.0f}", name,
      settings.m, samples, settings.q, shape, 1e3 * median(timing.seconds), 1e3 * fastest, timing.gflops(),
      median(timing.dgemm_gflops), timing.share_of_dgemm(), std::llround(work.products), work.residual,
      peak.most);
}

std::string BenchReport::header() {
  return fmt::format("{:<17} {:>6} {:>7} {:>4} {:>6} {:>11} {:>11} {:>8} {:>8} {:>7} {:>9} {:>9} {:>8}",
                     "case", "m", "n", "q", "grid", "median/ms", "fastest/ms", "GF/s", "dgemm", "share",
                     "products", "residual", "peak/MB");
}

void BenchReport::add_work(const Work& work, const ProcessGrid& grid) {
  if (work.samples == 0.0) return;
  add("products_per_sample", work.columns / work.samples);
  add("equilibrium_iterations", work.equilibrium_iterations);
  add("adjoint_iterations", work.adjoint_iterations);
  add("fallbacks", work.fallbacks);
  if (grid.feature_ranks() == 1) return;
  // These count the products alone; the gradient gathers the equilibria once more.
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

void check_output(MPI_Comm comm, const std::string& path) {
  if (path.empty()) return;
  if (!path.ends_with(".csv") && !path.ends_with(".h5"))
    throw usage(fmt::format("-out {}: the name must end in .csv or .h5", path));
  on_root(comm, [&] {
    const auto refuse = [&](const std::string& why) {
      throw bad_input(fmt::format("-out {}: {}", path, why));
    };
    if (std::filesystem::is_directory(path)) refuse("is a directory");
    // Does what replace_file will do, with a file that does not exist yet.
    const std::string probe = fmt::format("{}.probe{}", path, getpid());
    std::FILE* file = std::fopen(probe.c_str(), "wx");
    if (file == nullptr) refuse(fmt::format("cannot be written: {}", std::strerror(errno)));
    (void)std::fclose(file);
    (void)std::remove(probe.c_str());
  });
}

void write_output(const std::string& path, const std::vector<BenchReport>& reports) {
  if (path.empty()) return;
  replace_file(path, path.ends_with(".csv") ? csv(reports) : hdf5(path, reports));
}

}  // namespace poise::bench
