#include "poise/io/run_file.hpp"

#include <fmt/format.h>
#include <hdf5.h>
#include <hdf5_hl.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/output.hpp"
#include "poise/base/text.hpp"
#include "poise/io/checksum.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/hdf5_untrusted.hpp"

namespace poise {
inline namespace io {
namespace {

constexpr const char* schema = "poise-run-1";
constexpr double least_seconds_between_flushes = 2.0;
constexpr double flush_durations_between_flushes = 20.0;  // at most 5 % of the time
constexpr hsize_t chunk_rows = 1024;
constexpr unsigned deflate_level = 1;
const std::string attempts_group = "/attempts/";

std::size_t find_column(const std::vector<std::string>& columns, const std::string& name) {
  return static_cast<std::size_t>(std::find(columns.begin(), columns.end(), name) - columns.begin());
}

History adopt(const History& past, std::vector<std::string> columns) {
  History history{std::move(columns), {}, past.attempts, {}};
  for (const auto& old : past.rows) {
    auto& row = history.rows.emplace_back();
    for (const auto& name : history.columns) {
      const std::size_t c = find_column(past.columns, name);
      row.push_back(c < old.size() ? old[c] : std::numeric_limits<double>::quiet_NaN());
    }
  }
  return history;
}

void require(bool good, const std::string& what) {
  if (!good) throw failure("HDF5 could not " + what);
}

H5Handle write_column(const H5File& file, const std::string& name, const std::vector<double>& values) {
  const hsize_t length = values.size();
  const hsize_t unlimited = H5S_UNLIMITED;
  const H5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  require(H5Pset_chunk(creation.get(), 1, &chunk_rows) >= 0 && H5Pset_shuffle(creation.get()) >= 0 &&
              H5Pset_deflate(creation.get(), deflate_level) >= 0 && H5Pset_fletcher32(creation.get()) >= 0,
          "lay out the history");
  const H5Handle space(H5Screate_simple(1, &length, &unlimited), H5Sclose);
  const std::string path = "/history/" + name;
  H5Handle set(H5Dcreate2(file.id(), path.c_str(), H5T_IEEE_F64LE, space.get(), H5P_DEFAULT, creation.get(),
                          H5P_DEFAULT),
               H5Dclose);
  require(static_cast<bool>(set), "create " + path);
  if (length > 0)
    require(H5Dwrite(set.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0,
            "write " + path);
  return set;
}

void write_history(H5File& file, const History& history) {
  file.create_group("/history");
  const H5Handle scale = write_column(file, "t", history.column("t"));
  require(H5DSset_scale(scale.get(), "t") >= 0, "make /history/t a dimension scale");
  for (const auto& name : history.columns) {
    if (name == "t") continue;
    const H5Handle set = write_column(file, name, history.column(name));
    require(H5DSattach_scale(set.get(), scale.get(), 0) >= 0, "attach the dimension scale to " + name);
  }
}

void write_meanings(H5File& file, const History& history,
                    const std::map<std::string, ColumnMeaning>& meanings) {
  for (const auto& name : history.columns) {
    const auto found = meanings.find(name);
    if (found == meanings.end()) continue;
    const std::string column = "/history/" + name;
    const ColumnMeaning& meaning = found->second;
    file.set_attribute(column, "long_name", meaning.long_name);
    file.set_attribute(column, "units", meaning.units);
    if (std::isfinite(meaning.valid_min)) file.set_attribute(column, "valid_min", meaning.valid_min);
    if (std::isfinite(meaning.valid_max)) file.set_attribute(column, "valid_max", meaning.valid_max);
  }
}

/// The attribute `checksum` of the root group holds this text and, in 8 hexadecimal digits, the CRC-32 of all
/// bytes of the file with 00000000 in place of the digits. The format of files in memory has no checksums for
/// HDF5's own structures and texts, and damage there can end the program that reads the file.
const std::string seal = "poise-crc32:";
constexpr std::size_t digits = 8;

std::string seal_of(std::string_view image, std::size_t place) {
  std::uint32_t crc = crc32_of(image.substr(0, place));
  crc = crc32_of(std::string(digits, '0'), crc);
  crc = crc32_of(image.substr(place + digits), crc);
  return fmt::format("{:08x}", crc);
}

/// The position of the digits; npos if there are none.
std::size_t place_of_seal(std::string_view image) {
  const std::size_t mark = image.find(seal);
  return mark == std::string_view::npos || mark + seal.size() + digits > image.size() ? std::string_view::npos
                                                                                      : mark + seal.size();
}

/// Files of older versions of Poise end with a line that has the CRC-32 of everything before it.
bool has_old_seal(std::string_view all, bool& right) {
  const std::size_t end = all.rfind("\ncrc32 ");
  if (end == std::string_view::npos || all.size() - end > 32) return false;
  right = all.substr(end) == fmt::format("\ncrc32 {}\n", crc32_of(all.substr(0, end)));
  return true;
}

enum class Seal { right, wrong, absent };

/// Call before HDF5 opens the file: HDF5 must not see a file whose seal is wrong.
Seal check_seal(const std::string& path) {
  const std::string content = read_file(path, std::numeric_limits<std::size_t>::max());
  const std::size_t place = place_of_seal(content);
  if (place != std::string_view::npos)
    return content.compare(place, digits, seal_of(content, place)) == 0 ? Seal::right : Seal::wrong;
  bool right = false;
  if (has_old_seal(content, right)) return right ? Seal::right : Seal::wrong;
  return Seal::absent;
}

Error damaged(const std::string& path) {
  return bad_input("file '" + path +
                   "' is damaged or is not a run file: its content does not have its checksum");
}

void write_attempts(H5File& file, const std::vector<RunFile::Named>& attempts) {
  for (std::size_t k = 0; k < attempts.size(); ++k) {
    const std::string group = fmt::format("{}{:04}", attempts_group, k + 1);  // names sort as numbers do
    file.create_group(group);
    for (const auto& [name, value] : attempts[k]) file.set_attribute(group, name, value);
  }
}

/// Reads the attempts and the options. Files of other programs do not have them.
void read_makers(const H5File& file, History& history) {
  for (const auto& object : file.objects()) {
    if (object.rfind(attempts_group, 0) != 0) continue;
    auto& attempt = history.attempts.emplace_back();
    for (const auto& name : file.attributes(object)) attempt.emplace_back(name, file.attribute(object, name));
  }
  if (!file.exists("/config")) return;
  for (const auto& name : file.attributes("/config"))
    history.config.emplace_back(name, text_of(file.attribute("/config", name)));
}

History read_history(const std::string& path) {
  const Seal found = check_seal(path);
  if (found == Seal::wrong) throw damaged(path);
  const H5File file = H5File::open_alone(path);
  if (file.has_attribute("/", "checksum") && found == Seal::absent) throw damaged(path);
  if (!file.has_attribute("/", "schema") || file.text_attribute("/", "schema") != schema)
    throw bad_input("file '" + path + "' is not a run file of schema " + schema);
  if (found == Seal::absent)
    warn(path +
         " has no checksum: another program has written it; only the checksums of the columns protect its "
         "numbers");
  const std::string group = "/history/";
  History history;
  for (const auto& name : file.objects()) {
    if (name.rfind(group, 0) != 0) continue;
    const H5Shape shape = file.shape(name);
    const std::size_t rows = shape.dims.size() == 1 ? static_cast<std::size_t>(shape.dims[0]) : 0;
    if (history.columns.empty()) history.rows.resize(rows);
    if (shape.dims.size() != 1 || rows != history.rows.size())
      throw bad_input("file '" + path + "': " + name + " has not the length of the history");
    if (name.find('\n') != std::string::npos)
      throw bad_input("file '" + path + "': a column's name has more than one line");
    if (rows * (history.columns.size() + 1) > largest_expansion * (file.size() / sizeof(double)))
      throw bad_input("file '" + path + "': the columns claim more than the file holds: it is damaged");
    std::vector<double> values(rows);
    file.read_rows(name, {0, shape.dims[0]}, values);
    history.columns.push_back(name.substr(group.size()));
    for (std::size_t i = 0; i < rows; ++i) history.rows[i].push_back(values[i]);
  }
  read_makers(file, history);
  return history;
}

}  // namespace

std::vector<double> History::column(const std::string& name) const {
  const std::size_t c = find_column(columns, name);
  if (c == columns.size()) throw bad_input("the history has no column '" + name + "'");
  std::vector<double> values;
  values.reserve(rows.size());
  for (const auto& row : rows) values.push_back(row[c]);
  return values;
}

RunFile::RunFile(MPI_Comm comm, std::string path, std::vector<std::string> columns, Named attributes,
                 Config config, const History& past, Named attempt, OptionKinds kinds)
    : comm_(comm),
      path_(std::move(path)),
      attributes_(std::move(attributes)),
      config_(std::move(config)),
      kinds_(std::move(kinds)) {
  check_mpi(MPI_Comm_rank(comm_, &rank_));
  on_root(comm_, [&] {
    for (const char* needed : {"t", "step"})
      if (find_column(columns, needed) == columns.size())
        throw failure("the history needs a column '" + std::string(needed) + "'");
    history_ = adopt(past, columns);
    history_.attempts.push_back(std::move(attempt));
  });
  flush();
}

RunFile::~RunFile() {
  if (rank_ != 0 || !unsaved_) return;
  try {
    write();
  } catch (...) {  // the error that called this destructor is reported instead
  }
}

LogEvent::Scope RunFile::log_flush() {
  static const LogEvent event("RunFileFlush");
  return event.begin();
}

void RunFile::write() {
  const double begin = steady_seconds();
  H5File file = H5File::create_in_memory(path_);
  file.set_attribute("/", "schema", std::string(schema));
  mark_for_seal(file);
  for (const auto& [name, value] : attributes_) file.set_attribute("/", name, value);
  file.create_group("/config");
  for (const auto& [name, value] : config_)
    file.set_attribute("/config", name, typed_value(name, value, kinds_));
  write_attempts(file, history_.attempts);
  write_history(file, history_);
  write_meanings(file, history_, meanings_);
  replace_file(path_, sealed(file.image()));
  unsaved_ = false;
  last_flush_ = steady_seconds();
  flush_duration_ = last_flush_ - begin;
}

namespace {

void set(RunFile::Named& named, const std::string& name, H5Value value) {
  const auto known = std::find_if(named.begin(), named.end(), [&](const auto& n) { return n.first == name; });
  if (known == named.end())
    named.emplace_back(name, std::move(value));
  else
    known->second = std::move(value);
}

}  // namespace

void RunFile::note(const std::string& name, H5Value value) {
  if (rank_ != 0) return;
  set(history_.attempts.back(), name, std::move(value));
  unsaved_ = true;
}

void RunFile::set_attribute(const std::string& name, H5Value value) {
  if (rank_ != 0) return;
  set(attributes_, name, std::move(value));
  unsaved_ = true;
}

bool RunFile::due() const {
  return steady_seconds() - last_flush_ >
         std::max(least_seconds_between_flushes, flush_durations_between_flushes * flush_duration_);
}

void RunFile::append(const std::vector<double>& row) {
  enum Decision { keep, write_now, wrong_length };
  int decision = keep;
  if (rank_ == 0) {
    if (row.size() != history_.columns.size()) {
      decision = wrong_length;
    } else {
      add_row(row);
      unsaved_ = true;
      if (due()) decision = write_now;
    }
  }
  check_mpi(MPI_Bcast(&decision, 1, MPI_INT, 0, comm_));
  if (decision == keep) return;
  const auto scope = log_flush();
  on_root(comm_, [&] {
    if (decision == wrong_length)
      throw failure(
          fmt::format("a row of the history needs {} numbers, not {}", history_.columns.size(), row.size()));
    write();
  });
}

bool RunFile::is_kept(double step) const {
  const auto number = static_cast<Index>(step);
  if (thinning_.record_every > 0) return number % thinning_.record_every == 0;
  return number % (thinning_.steps_a_row * stride_) == 0;
}

/// The newest row is always kept; the previous row is kept only if is_kept says so.
void RunFile::add_row(const std::vector<double>& row) {
  const std::size_t c = find_column(history_.columns, "step");
  auto& rows = history_.rows;
  if (!rows.empty() && !is_kept(rows.back()[c])) rows.pop_back();
  rows.push_back(row);
  const double newest = row[c] / static_cast<double>(thinning_.steps_a_row);
  bool thinner = false;
  while (thinning_.record_every == 0 && newest >= static_cast<double>(most_rows * stride_)) {
    stride_ *= 2;
    thinner = true;
  }
  if (!thinner) return;
  std::vector<double> last = std::move(rows.back());
  rows.pop_back();
  std::erase_if(rows, [&](const std::vector<double>& old) { return !is_kept(old[c]); });
  rows.push_back(std::move(last));
}

void RunFile::flush() {
  const auto scope = log_flush();
  on_root(comm_, [&] { write(); });
}

void RunFile::flush_if_possible() noexcept {
  try {
    flush();
  } catch (...) {
  }
}

void RunFile::truncate_after(Index step) {
  on_root(comm_, [&] {
    const std::size_t c = find_column(history_.columns, "step");
    std::erase_if(history_.rows,
                  [&](const std::vector<double>& row) { return row[c] > static_cast<double>(step); });
    write();
  });
}

void RunFile::mark_for_seal(H5File& file) {
  file.set_attribute("/", "checksum", seal + std::string(digits, '0'));
}

std::string RunFile::sealed(std::string image) {
  const std::size_t place = place_of_seal(image);
  if (place == std::string::npos) throw failure("a run file was to be sealed without its mark");
  image.replace(place, digits, seal_of(image, place));
  return image;
}

History RunFile::load(MPI_Comm comm, const std::string& path) {
  History history;
  on_root(comm, [&] { history = read_history(path); });
  std::string names;
  for (const auto& name : history.columns) names += name + '\n';
  names = broadcast(comm, names);
  auto rows = static_cast<Index>(history.rows.size());
  check_mpi(MPI_Bcast(&rows, 1, MPI_INT64_T, 0, comm));
  history.columns.clear();
  for (std::size_t begin = 0; begin < names.size(); begin = names.find('\n', begin) + 1)
    history.columns.push_back(names.substr(begin, names.find('\n', begin) - begin));
  history.rows.resize(static_cast<std::size_t>(rows));
  for (auto& row : history.rows) {
    row.resize(history.columns.size());
    check_mpi(MPI_Bcast(row.data(), static_cast<int>(row.size()), MPI_DOUBLE, 0, comm));
  }
  return history;
}

}  // namespace io
}  // namespace poise
