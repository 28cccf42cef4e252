#include "poise_bench/output.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "poise/base/agree.hpp"
#include "poise/base/version.hpp"
#include "poise/io/durable.hpp"

namespace poise::bench {
namespace {

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
    for (int k = 2; file.exists(group); ++k) group = name + "_" + std::to_string(k);
    file.create_group(group);
    for (const auto& [key, value] : report.entries()) file.set_attribute(group, key, value);
  }
  return file.image();
}

}  // namespace

void check_output_name(const std::string& path) {
  if (path.empty() || path.ends_with(".csv") || path.ends_with(".h5")) return;
  throw Error(ExitCode::bad_input, "-out " + path + ": the name must end in .csv or .h5", true);
}

void check_output(MPI_Comm comm, const std::string& path) {
  if (path.empty()) return;
  on_root(comm, [&] {
    const auto refuse = [&](const std::string& why) { throw bad_input("-out " + path + ": " + why); };
    if (std::filesystem::is_directory(path)) refuse("is a directory");
    // What replace_file will do, with a file that nobody has.
    const std::string probe = path + ".probe" + std::to_string(getpid());
    std::FILE* file = std::fopen(probe.c_str(), "wx");
    if (file == nullptr) refuse(std::string("cannot be written: ") + std::strerror(errno));
    (void)std::fclose(file);
    (void)std::remove(probe.c_str());
  });
}

void write_output(const std::string& path, const std::vector<BenchReport>& reports) {
  if (path.empty()) return;
  replace_file(path, path.ends_with(".csv") ? csv(reports) : hdf5(path, reports));
}

}  // namespace poise::bench
