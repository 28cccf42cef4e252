#include "poise/run/ensemble_record.hpp"

#include <hdf5.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <set>

#include "poise/base/error.hpp"
#include "poise/io/durable.hpp"
#include "poise/run/history_row.hpp"

namespace poise {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

void require(bool good, const std::string& name) {
  if (!good) throw failure("HDF5 could not write " + name);
}

void write_texts(H5File& file, const std::string& name, const std::vector<std::string>& texts) {
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  const hsize_t length = texts.size();
  const H5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  require(H5Tset_size(type.get(), H5T_VARIABLE) >= 0 && H5Tset_cset(type.get(), H5T_CSET_UTF8) >= 0, name);
  const H5Handle space(H5Screate_simple(1, &length, nullptr), H5Sclose);
  const H5Handle set(
      H5Dcreate2(file.id(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
      H5Dclose);
  require(set && H5Dwrite(set.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()) >= 0, name);
}

/// One column: what `value` says of every record.
template <class Value>
auto column(const std::vector<MemberRecord>& records, Value&& value) {
  std::vector<decltype(value(records.front()))> all;
  for (const MemberRecord& record : records) all.push_back(value(record));
  return all;
}

void write_numbers(H5File& file, const std::string& name, const std::vector<double>& values) {
  const auto rows = static_cast<Index>(values.size());
  file.write_rows(name, {rows}, {0, rows}, values);
}

std::string option(const MemberRecord& record, const std::string& name) {
  for (const auto& [key, value] : record.options)
    if (key == name) return value;
  return "";
}

/// Names of options that are not the same for all, other than the numbers and what names a start.
std::set<std::string> differing_options(const std::vector<MemberRecord>& records) {
  std::map<std::string, std::set<std::string>> values;
  for (const MemberRecord& record : records)
    for (const auto& [name, value] : record.options) values[name];
  std::set<std::string> names;
  for (auto& [name, seen] : values) {
    for (const MemberRecord& record : records) seen.insert(option(record, name));
    if (seen.size() > 1) names.insert(name);
  }
  for (const std::string& apart : run_numbers()) names.erase(apart);
  return names;
}

void write_columns(H5File& file, const std::vector<MemberRecord>& records) {
  const auto texts = [&](const std::string& name, auto&& value) {
    write_texts(file, "/runs/" + name, column(records, value));
  };
  texts("name", [](const auto& r) { return r.name; });
  texts("status", [](const auto& r) { return to_string(r.status); });
  texts("error", [](const auto& r) { return r.error; });
  for (const std::string& name : differing_options(records))
    texts("options/" + name, [&](const auto& r) { return option(r, name); });
  const auto done =
      column(records, [](const auto& r) -> std::uint8_t { return r.status == MemberStatus::done; });
  const auto rows = static_cast<Index>(done.size());
  file.create_rows("/runs/done", {rows}, H5Kind::byte);
  file.fill_rows("/runs/done", {0, rows}, std::span<const std::uint8_t>(done));
  write_numbers(file, "/runs/seconds", column(records, [](const auto& r) { return r.seconds; }));
  write_numbers(file, "/runs/group",
                column(records, [](const auto& r) { return static_cast<double>(r.group); }));
  for (std::size_t c = 0; c < run_numbers().size(); ++c)
    write_numbers(file, "/runs/" + run_numbers()[c],
                  column(records, [&](const auto& r) { return r.numbers[c]; }));
  for (const std::string& name : HistoryRow::columns())
    write_numbers(file, "/runs/last/" + name,
                  column(records, [&](const auto& r) { return r.last_of(name); }));
}

/// Of all attempts.
double seconds_of(const History& history) {
  double sum = 0.0;
  for (const auto& attempt : history.attempts)
    for (const auto& [name, value] : attempt)
      if (const auto* seconds = std::get_if<double>(&value); name == "seconds" && seconds != nullptr)
        sum += *seconds;
  return sum;
}

}  // namespace

std::string to_string(MemberStatus status) {
  switch (status) {
    case MemberStatus::done:
      return "done";
    case MemberStatus::stopped:
      return "stopped";
    case MemberStatus::failed:
      return "failed";
    case MemberStatus::waiting:
      break;
  }
  return "waiting";
}

const std::vector<std::string>& run_numbers() {
  static const std::vector<std::string> names{"seed", "gamma", "m", "q", "parameters", "ranks"};
  return names;
}

void MemberRecord::read(const std::string& run_file) {
  const auto take_options = [&] {  // seed and gamma
    numbers.assign(run_numbers().size(), nan);
    for (std::size_t c = 0; c < numbers.size(); ++c)
      if (const std::string given = option(*this, run_numbers()[c]); !given.empty())
        numbers[c] = std::stod(given);
  };
  take_options();
  last.assign(HistoryRow::columns().size(), nan);
  std::error_code ignored;
  if (!std::filesystem::exists(run_file, ignored)) return;
  const History history = RunFile::load(MPI_COMM_SELF, run_file);  // first: it verifies the checksum
  options = history.config;                                        // those of the table may be new ones
  take_options();
  seconds = seconds_of(history);
  const H5File file = H5File::open_alone(run_file);
  for (std::size_t c = 0; c < numbers.size(); ++c)
    if (file.has_attribute("/", run_numbers()[c])) numbers[c] = file.real_attribute("/", run_numbers()[c]);
  if (history.rows.empty()) return;
  for (std::size_t c = 0; c < history.columns.size(); ++c) {
    const auto& names = HistoryRow::columns();
    const auto place = std::find(names.begin(), names.end(), history.columns[c]);
    if (place != names.end()) last[static_cast<std::size_t>(place - names.begin())] = history.rows.back()[c];
  }
}

double MemberRecord::last_of(const std::string& name) const {
  const auto& names = HistoryRow::columns();
  return last.at(static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin()));
}

void write_ensemble(const std::string& path, const std::vector<MemberRecord>& records,
                    const RunFile::Named& attributes) {
  H5File file = H5File::create_in_memory(path);
  file.set_attribute("/", "schema", std::string("poise-runs-1"));
  for (const auto& [name, value] : attributes) file.set_attribute("/", name, value);
  for (const char* group : {"/runs", "/runs/options", "/runs/last"}) file.create_group(group);
  write_columns(file, records);
  replace_file(path, file.image());
}

}  // namespace poise
