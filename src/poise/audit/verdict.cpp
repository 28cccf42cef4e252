#include "poise/audit/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "poise/base/options.hpp"
#include "poise/base/text.hpp"
#include "poise/base/version.hpp"

namespace poise {
inline namespace audit {
namespace {

std::string shown(double value) {
  return std::isnan(value) ? "NaN" : brief(value, 4);
}

/// How near a measurement is to failing: 0 is best, above 1 it fails.
double badness_of(const std::string& relation, double measured, double required) {
  if (std::isnan(measured) || std::isnan(required)) return std::numeric_limits<double>::infinity();
  const double low = relation == "<=" ? measured : required;
  const double high = relation == "<=" ? required : measured;
  if (low <= 0.0 && high >= 0.0) return 0.0;
  if (high <= 0.0) return std::numeric_limits<double>::infinity();
  return low / high;
}

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width > text.size() ? width - text.size() : 0, ' ');
}

std::string title(const Row& row) {
  return row.item.empty() ? row.claim : row.claim + " (" + row.item + ")";
}

std::string place(const Row& row) {
  if (row.step < 0) return row.file;
  return fmt::format("step {}{}", row.step, row.file.empty() ? "" : " (" + row.file + ")");
}

}  // namespace

std::string to_string(RowState state) {
  switch (state) {
    case RowState::held:
      return "held";
    case RowState::not_held:
      return "not held";
    case RowState::not_verified:
      return "not verified";
    case RowState::observed:
      return "observed";
    case RowState::does_not_apply:
      break;
  }
  return "does not apply";
}

void Worst::add(double measured, double required, Index step, const std::string& file) {
  const double badness = badness_of(relation_, measured, required);
  if (points_++ > 0 && (!(badness > badness_) || (first_ && badness_ > 1.0))) return;
  measured_ = measured;
  required_ = required;
  badness_ = badness;
  step_ = step;
  file_ = file;
}

Row Worst::row(std::string id, std::string claim, std::string item, std::string why_not) const {
  if (empty()) return does_not_apply(std::move(id), std::move(claim), std::move(item), std::move(why_not));
  const bool held = relation_ == "<=" ? measured_ <= required_ : measured_ >= required_;  // false with a NaN
  return {.id = std::move(id),
          .claim = std::move(claim),
          .item = std::move(item),
          .measured = measured_,
          .required = required_,
          .relation = relation_,
          .state = held ? RowState::held : RowState::not_held,
          .step = step_,
          .file = file_,
          .note = {}};
}

Row does_not_apply(std::string id, std::string claim, std::string item, std::string why) {
  Row row;
  row.id = std::move(id);
  row.claim = std::move(claim);
  row.item = std::move(item);
  row.note = std::move(why);
  return row;
}

bool VerdictTable::held() const {
  return std::none_of(rows_.begin(), rows_.end(),
                      [](const Row& row) { return row.state == RowState::not_held; });
}

bool VerdictTable::has_unverified() const {
  return std::any_of(rows_.begin(), rows_.end(),
                     [](const Row& row) { return row.state == RowState::not_verified; });
}

std::string VerdictTable::text() const {
  std::size_t width = 5;
  for (const Row& row : rows_) width = std::max(width, title(row).size());
  std::string text =
      padded("claim", width) + "  " + padded("measured", 11) + padded("required", 14) + "held\n";
  for (const Row& row : rows_) {
    text += padded(title(row), width) + "  ";
    if (row.state == RowState::does_not_apply) {
      text += padded("-", 11) + padded("-", 14) + "does not apply: " + row.note + "\n";
      continue;
    }
    text += padded(shown(row.measured), 11) +
            padded(std::isnan(row.required) ? "-" : row.relation + " " + shown(row.required), 14);
    const bool failed = row.state == RowState::not_held;
    const bool plain = row.state == RowState::held;
    text += failed ? "NO" : plain ? "yes" : to_string(row.state);
    if (failed && !place(row).empty()) text += ": " + place(row);
    if (!row.note.empty()) text += (plain ? "  " : ": ") + row.note;
    text += "\n";
  }
  return text + "\n" + verdict() + "\n";
}

std::string VerdictTable::verdict() const {
  Index judged = 0, idle = 0, observed = 0;
  std::string names, where, unverified;
  Index first = std::numeric_limits<Index>::max();
  for (const Row& row : rows_) {
    judged += row.state == RowState::held ? 1 : 0;
    idle += row.state == RowState::does_not_apply ? 1 : 0;
    observed += row.state == RowState::observed ? 1 : 0;
    if (row.state == RowState::not_verified)
      unverified += (unverified.empty() ? "" : "; ") + row.id + " (" + title(row) + ")";
    if (row.state != RowState::not_held) continue;
    names += (names.empty() ? "" : "; ") + row.id + " (" + title(row) + ")";
    if (row.step >= 0 && row.step < first) {
      first = row.step;
      where = place(row);
    }
  }
  if (!names.empty()) return "verdict: NOT held: " + names + (where.empty() ? "" : "; first at " + where);
  if (!unverified.empty())
    return fmt::format("verdict: not verified: {}; the other {} rows held", unverified, judged);
  std::string rest = idle > 0 ? fmt::format("{} do not apply", idle) : "";
  if (observed > 0) rest += fmt::format("{}{} observed", rest.empty() ? "" : ", ", observed);
  return fmt::format("verdict: all {} rows held{}", judged, rest.empty() ? "" : " (" + rest + ")");
}

namespace {

double exceedance(const Violation& violation) {
  return violation.kind == Violation::Kind::not_finite
             ? std::numeric_limits<double>::quiet_NaN()
             : violation.measured / (violation.required + violation.allowance);
}

}  // namespace

double RateSamples::smallest_kappa() const {
  double smallest = std::numeric_limits<double>::infinity();
  for (const AuditSample& sample : samples_)
    if (sample.excess > 0.0) smallest = std::min(smallest, sample.grad_norm2 / sample.excess);
  return std::isfinite(smallest) ? smallest : 0.0;
}

// A RateAudit checks both exponents at once. Here each exponent has its own row, so the other one is set to
// 0: its bound is then E₀, which both bounds imply.
Row RateSamples::judge(Row row, AuditConstants constants, bool integrated) const {
  constants.lambda_floor = 0.0;
  if (integrated) constants.kappa = 0.0;
  const std::string theorem = constants.theorem, matrix = constants.matrix;
  RateAudit rates(constants);
  row.measured = 0.0;
  row.required = 1.0;
  row.state = RowState::held;
  double margin = rates.worst_margin();
  std::size_t times = 0;  // counts the start once, though it may also be a checkpoint
  for (std::size_t k = 0; k < samples_.size(); ++k) {
    AuditSample sample = samples_[k];
    sample.lambda_floor = 0.0;
    if (!integrated) sample.grad_norm2 = 0.0;
    const bool ordered = k == 0 || sample.t >= samples_[k - 1].t;
    if (k == 0 || sample.t > samples_[k - 1].t) ++times;
    const bool held = ordered && rates.add(sample).held;
    if (held && !(rates.worst_margin() < margin)) continue;
    margin = rates.worst_margin();
    row.step = sample.step;
    row.file = files_[k];
    row.measured = 1.0 - margin;
    if (held) continue;
    row.state = RowState::not_held;
    row.measured = ordered ? exceedance(*rates.first_violation()) : std::numeric_limits<double>::quiet_NaN();
    row.note = ordered ? rates.first_violation()->text(theorem, matrix)
                       : "its time is before the time of the previous step";
    return row;
  }
  if (rates.outcome() == AuditOutcome::not_verified) {
    row.state = RowState::not_verified;
    row.note = rates.verdict();
    return row;
  }
  row.note = fmt::format("at {} times", times);
  if (const std::string tightness = rates.tightness_text(); !tightness.empty()) row.note += "; " + tightness;
  return row;
}

namespace {

using Json = nlohmann::ordered_json;

/// A number parsed from its text, so that whole numbers stay whole.
Json number(double value) {
  return Json::parse(json_number(value));
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

Json json_of(const Row& row) {
  return {{"id", row.id},
          {"claim", row.claim},
          {"item", text_or_null(row.item)},
          {"measured", number(row.measured)},
          {"relation", row.relation},
          {"required", number(row.required)},
          {"state", to_string(row.state)},
          {"step", row.step < 0 ? Json() : Json(row.step)},
          {"file", text_or_null(row.file)},
          {"note", text_or_null(row.note)}};
}

}  // namespace

std::string to_json(const VerdictTable& table, const AuditFacts& facts) {
  const char* outcome = !table.held() ? "not held" : table.has_unverified() ? "not verified" : "held";
  Json json = {{"schema", "poise-audit-1"},
               {"version", version()},
               {"git", git_commit()},
               {"run", facts.run},
               {"ranks", facts.ranks},
               {"grid", facts.grid},
               {"checkpoints", facts.checkpoints},
               {"first_step", facts.first_step},
               {"last_step", facts.last_step},
               {"replayed_steps", facts.replayed_steps},
               {"seconds", number(facts.seconds)},
               {"held", table.held() && !table.has_unverified()},
               {"outcome", outcome},
               {"rows", Json::array()}};
  for (const Row& row : table.rows()) json["rows"].push_back(json_of(row));
  // JSON must be UTF-8, but names of files need not be.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace audit
}  // namespace poise
