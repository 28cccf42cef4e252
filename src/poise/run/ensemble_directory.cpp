#include "poise/run/ensemble_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <set>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/error.hpp"
#include "poise/base/output.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/run_file.hpp"
#include "poise/run/recorder.hpp"
#include "poise/run/run_options.hpp"

namespace poise {
inline namespace run {
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

/// One column: `value` of every record.
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

/// Names of the options whose values differ between members, except those in run_numbers().
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

/// The duration of all attempts.
double seconds_of(const History& history) {
  double sum = 0.0;
  for (const auto& attempt : history.attempts)
    for (const auto& [name, value] : attempt)
      if (const auto* seconds = std::get_if<double>(&value); name == "seconds" && seconds != nullptr)
        sum += *seconds;
  return sum;
}

}  // namespace

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
  const History history = RunFile::load(MPI_COMM_SELF, run_file);  // first, because it verifies the checksum
  options = history.config;                                        // the table may have changed since
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

namespace {

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

bool holds_run(const std::string& folder) {
  return exists(folder + "/run.h5") || !list_checkpoints(folder + "/checkpoints").empty();
}

std::string value_of(const NamedOptions& options, const std::string& name) {
  const auto found =
      std::find_if(options.begin(), options.end(), [&](const auto& o) { return o.first == name; });
  return found == options.end() ? "" : found->second;
}

/// Whether a run has reached its end with the options that the member has now. If they differ, or the run
/// file cannot be read, the answer is no, and -resume of the run continues it or refuses.
bool is_done(const std::string& run, const EnsembleMember& member) {
  if (!exists(run + "/DONE")) return false;
  try {
    const History history = RunFile::load(MPI_COMM_SELF, run + "/run.h5");
    return std::all_of(member.options.begin(), member.options.end(), [&](const auto& given) {
      return same_value(value_of(history.config, given.first), value_of(member.resolved, given.first));
    });
  } catch (const std::exception&) {
    return false;
  }
}

constexpr const char* claims_prefix = ".claims-";

}  // namespace

EnsembleDirectory::EnsembleDirectory(MPI_Comm comm, const EnsembleSettings& settings,
                                     const EnsemblePlan& plan)
    : comm_(comm),
      path_(settings.run),
      // A new name in every attempt, because nodes may still see for a while what rank 0 has removed.
      claims_(path(broadcast(comm, fmt::format("{}{}{}", claims_prefix, date("%Y%m%d-%H%M%S-"), getpid())))),
      done_(plan.members.size(), 0) {
  on_root(comm_, [&] {
    if (settings.resume && !exists(path("ensemble.txt")))
      throw bad_input("-resume: there is no " + path("ensemble.txt") +
                      "; is -run the directory of an earlier ensemble?");
  });
  lock_.emplace(comm_, path_);
  on_root(comm_, [&] {
    if (!settings.resume) require_new(plan);
    for (const char* of_an_end : {"DONE", "ensemble.h5"}) remove_durably(path(of_an_end));
    clear_claims();
    create_directory(claims_);
    // The options first: without the table, -resume does not take them.
    NamedOptions common{{"ensemble_ranks", std::to_string(settings.ranks)}};
    common.insert(common.end(), plan.common.begin(), plan.common.end());
    replace_file(path("options.txt"), options_text(common, "poise-train", "the options of all members"));
    replace_file(path("ensemble.txt"), plan.text);
    for (std::size_t k = 0; k < done_.size(); ++k)
      done_[k] = is_done(path(plan.members[k].name), plan.members[k]) ? 1 : 0;
  });
  check_mpi(MPI_Bcast(done_.data(), static_cast<int>(done_.size()), MPI_INT, 0, comm_));
}

void EnsembleDirectory::require_new(const EnsemblePlan& plan) const {
  const std::string cure = ": go on with it by -resume, or choose another directory";
  if (exists(path("ensemble.txt"))) throw bad_input("-run " + path_ + " already holds an ensemble" + cure);
  if (holds_run(path_)) throw bad_input("-run " + path_ + " already holds a run: choose another directory");
  for (const EnsembleMember& member : plan.members)
    if (holds_run(path(member.name)))
      throw bad_input("-run " + path_ + ": " + path(member.name) +
                      " already holds a run: choose another directory");
}

bool EnsembleDirectory::claim(const std::string& name) const {
  const std::string file = claims_ + "/" + name;
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor >= 0) return ::close(descriptor), true;
  if (errno == EEXIST) return false;
  throw failure("cannot create '" + file + "': " + std::strerror(errno));
}

void EnsembleDirectory::clear_claims() const {
  for (const auto& entry : std::filesystem::directory_iterator(path_))
    if (entry.path().filename().string().starts_with(claims_prefix))
      std::filesystem::remove_all(entry.path());
}

void EnsembleDirectory::create(MPI_Comm group, const std::string& name) const {
  on_root(group, [&] { create_directory(path(name)); });
}

bool EnsembleDirectory::prepare_resume(MPI_Comm group, const std::string& name) const {
  int goes_on = 0;
  on_root(group, [&] { goes_on = list_checkpoints(path(name) + "/checkpoints").empty() ? 0 : 1; });
  check_mpi(MPI_Bcast(&goes_on, 1, MPI_INT, 0, group));
  return goes_on != 0;
}

void EnsembleDirectory::read(MemberRecord& record) const {
  try {
    record.read(path(record.name) + "/run.h5");
  } catch (const std::exception& error) {
    warn(error.what());
  }
}

void EnsembleDirectory::mark_done() const {
  on_root(comm_, [&] { replace_file(path("DONE"), date("%Y-%m-%dT%H:%M:%SZ\n")); });
}

}  // namespace run
}  // namespace poise
