#include "poise/audit/rows_files.hpp"

namespace poise {
namespace {

/// Without "checkpoint 'path'" in front: the row names the file.
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
  if (damaged > 1) row.note += "; and " + std::to_string(damaged - 1) + " more";
  row.measured = static_cast<double>(damaged);
  row.required = 0.0;
  row.state = damaged == 0 ? RowState::held : RowState::not_held;
  if (damaged == 0)
    row.note = "of " + std::to_string(files.points().size()) +
               (files.vanished() > 0 ? ", " + std::to_string(files.vanished()) + " vanished" : "");
  return row;
}

Row order(const RunCheckpoints& files) {
  Row row{.id = "order", .claim = "checkpoints whose time is not after that of the one before", .item = {}};
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

}  // namespace poise
