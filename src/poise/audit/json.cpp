#include "poise/audit/json.hpp"

#include <nlohmann/json.hpp>

#include "poise/base/options.hpp"
#include "poise/base/version.hpp"

namespace poise {
namespace {

using Json = nlohmann::ordered_json;

/// Read from its text, so that whole numbers stay whole.
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
  // Names of files may be no UTF-8, which JSON must be.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace poise
