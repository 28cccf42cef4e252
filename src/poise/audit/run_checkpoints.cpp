#include "poise/audit/run_checkpoints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace audit {
namespace {

constexpr int most_listings = 5;  // the run may delete checkpoints faster than this program reads them

}  // namespace

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  if (line.ends_with(':')) line.pop_back();
  return line;
}

std::string StoredPoint::option(const std::string& option_name) const {
  for (const auto& [key, value] : config)
    if (key == option_name) return value;
  return {};
}

RunCheckpoints::RunCheckpoints(MPI_Comm comm, const std::string& run)
    : comm_(comm), folder_(run + "/checkpoints") {
  on_root(comm_, [&] {
    if (!std::filesystem::is_directory(run)) throw bad_input("-run " + run + ": there is no such directory");
    if (list_checkpoints(folder_).empty())
      throw bad_input("-run " + run + ": " + folder_ + " holds no checkpoint; is it the directory of a run?");
  });
  for (int tries = 0; tries < most_listings && points_.size() < 2 && list() > 0; ++tries) {
  }
  require_one_run();
}

bool RunCheckpoints::exists(const std::string& path) const {
  int found = 0;
  on_root(comm_, [&] { found = std::filesystem::exists(path) ? 1 : 0; });
  check_mpi(MPI_Bcast(&found, 1, MPI_INT, 0, comm_));
  return found != 0;
}

Index RunCheckpoints::list() {
  const Index vanished_before = vanished_;
  std::vector<Index> steps;
  on_root(comm_, [&] { steps = list_checkpoints(folder_); });
  auto count = static_cast<int>(steps.size());
  check_mpi(MPI_Bcast(&count, 1, MPI_INT, 0, comm_));
  steps.resize(static_cast<std::size_t>(count));
  check_mpi(MPI_Bcast(steps.data(), count, MPI_INT64_T, 0, comm_));
  std::reverse(steps.begin(), steps.end());
  for (const Index step : steps) {
    if (step <= last_listed_) continue;
    read(step);
    last_listed_ = step;
  }
  return vanished_ - vanished_before;
}

void RunCheckpoints::read(Index step) {
  StoredPoint point;
  point.path = checkpoint_path(folder_, step);
  point.name = std::filesystem::path(point.path).filename().string();
  try {
    Checkpoint checkpoint = Checkpoint::open_unverified(comm_, point.path);
    point.damage = first_line(checkpoint.damage());
    if (!point.damage.empty() && !exists(point.path)) {  // deleted in the middle of its checks
      ++vanished_;
      return;
    }
    point.step = checkpoint.integer("/state", "step");
    point.t = checkpoint.real("/state", "t");
    point.config = checkpoint.config();
    if (point.step != step) {
      unreadable_.push_back({point.name, fmt::format("its content is from step {}", point.step)});
      return;
    }
    points_.push_back(std::move(point));
    held_.emplace_back();
    if (points_.size() <= most_open) held_.back().emplace(std::move(checkpoint));
  } catch (const Error& error) {
    if (!error.collective()) throw;
    if (exists(point.path))
      unreadable_.push_back({point.name, first_line(error.what())});
    else
      ++vanished_;
  }
}

namespace {

/// The value of an option in a checkpoint. An older version of Poise did not have every option: the run was
/// then made as with the default.
std::string value_in(const StoredPoint& point, const Setting& setting) {
  const auto stored = std::find_if(point.config.begin(), point.config.end(),
                                   [&](const auto& option) { return option.first == setting.name; });
  return stored == point.config.end() ? setting.initial : stored->second;
}

/// The value, or "empty", for a message.
std::string shown(const std::string& value) {
  return value.empty() ? "empty" : value;
}

}  // namespace

void RunCheckpoints::require_one_run() {
  // The newest undamaged checkpoint identifies the run.
  const auto whole = std::find_if(points_.rbegin(), points_.rend(),
                                  [](const StoredPoint& point) { return point.damage.empty(); });
  if (whole == points_.rend()) return;
  const StoredPoint newest = *whole;
  const Options declared = train_declarations();
  for (std::size_t k = points_.size(); k-- > 0;) {
    for (const Setting& setting : declared.settings()) {
      if (setting.role.kind != Role::identity) continue;
      const std::string mine = value_in(points_[k], setting), theirs = value_in(newest, setting);
      if (same_value(mine, theirs)) continue;
      const std::string what = fmt::format("option -{} is {} in {} but {} in {}", setting.name, shown(mine),
                                           points_[k].name, shown(theirs), newest.name);
      if (points_[k].damage.empty())
        throw usage(folder_ + " mixes checkpoints of different runs: " + what +
                    "; move the checkpoints of one run into a different directory");
      report_unreadable(k, points_[k].damage + "; " + what);
      remove(k);
      break;
    }
  }
}

const Checkpoint* RunCheckpoints::open(std::size_t k) {
  if (held_[k]) return &*held_[k];
  current_.reset();
  try {
    current_.emplace(Checkpoint::open_unverified(comm_, points_[k].path));
  } catch (const Error& error) {
    if (!error.collective() || exists(points_[k].path)) throw;
    ++vanished_;
    return nullptr;
  }
  return &*current_;
}

void RunCheckpoints::close(std::size_t k) {
  held_[k].reset();
  current_.reset();
}

void RunCheckpoints::report_unreadable(std::size_t k, const std::string& reason) {
  unreadable_.push_back({points_[k].name, reason});
}

void RunCheckpoints::remove(std::size_t k) {
  points_.erase(points_.begin() + static_cast<std::ptrdiff_t>(k));
  held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(k));
}

namespace {

/// The message without "checkpoint 'path'", because the row names the file.
std::string reason_alone(const std::string& text) {
  const auto end = text.rfind("' ");
  return text.starts_with("checkpoint '") && end != std::string::npos ? text.substr(end + 2) : text;
}

Row integrity(const RunCheckpoints& files) {
  Row row{.id = "integrity", .claim = "files that fail their checksums", .item = {}};
  Index damaged = 0;
  for (const StoredPoint& point : files.points()) {
    if (point.damage.empty()) continue;
    if (damaged++ > 0) continue;
    row.step = point.step;
    row.file = point.name;
    row.note = reason_alone(point.damage);
  }
  for (const auto& bad : files.unreadable()) {
    if (damaged++ > 0) continue;
    row.file = bad.name;
    row.note = reason_alone(bad.reason);
  }
  if (damaged > 1) row.note += fmt::format("; and {} more", damaged - 1);
  row.measured = static_cast<double>(damaged);
  row.required = 0.0;
  row.state = damaged == 0 ? RowState::held : RowState::not_held;
  if (damaged == 0)
    row.note = fmt::format("of {}{}", files.points().size(),
                           files.vanished() > 0 ? fmt::format(", {} vanished", files.vanished()) : "");
  return row;
}

Row order(const RunCheckpoints& files) {
  Row row{.id = "order", .claim = "checkpoints whose time is not after the previous one's", .item = {}};
  Index wrong = 0;
  const auto& points = files.points();
  for (std::size_t k = 0; k < points.size(); ++k) {
    const bool good = k == 0 ? points[k].t >= 0.0 : points[k].t > points[k - 1].t;
    if (good || wrong++ > 0) continue;
    row.step = points[k].step;
    row.file = points[k].name;
  }
  row.measured = static_cast<double>(wrong);
  row.required = 0.0;
  row.state = wrong == 0 ? RowState::held : RowState::not_held;
  return row;
}

}  // namespace

void add_file_rows(const RunCheckpoints& files, VerdictTable& table) {
  table.add(integrity(files));
  if (!files.points().empty()) table.add(order(files));
}

}  // namespace audit
}  // namespace poise
