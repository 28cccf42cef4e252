#include "poise/audit/json.hpp"

#include <cmath>
#include <cstdio>

#include "poise/base/options.hpp"
#include "poise/base/version.hpp"

namespace poise {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += code;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string number(double value) {
  return std::isfinite(value) ? to_text(value) : "null";
}

std::string text_or_null(const std::string& text) {
  return text.empty() ? "null" : quoted(text);
}

std::string json_of(const Row& row) {
  return "{\"id\": " + quoted(row.id) + ", \"claim\": " + quoted(row.claim) +
         ", \"item\": " + text_or_null(row.item) + ", \"measured\": " + number(row.measured) +
         ", \"relation\": " + quoted(row.relation) + ", \"required\": " + number(row.required) +
         ", \"state\": " + quoted(to_string(row.state)) +
         ", \"step\": " + (row.step < 0 ? "null" : std::to_string(row.step)) +
         ", \"file\": " + text_or_null(row.file) + ", \"note\": " + text_or_null(row.note) + "}";
}

}  // namespace

std::string to_json(const VerdictTable& table, const AuditFacts& facts) {
  const std::string outcome = !table.held() ? "not held" : table.has_unverified() ? "not verified" : "held";
  std::string text = "{\"schema\": \"poise-audit-1\", \"version\": " + quoted(version()) +
                     ", \"git\": " + quoted(git_commit()) + ", \"run\": " + quoted(facts.run) +
                     ",\n \"ranks\": " + std::to_string(facts.ranks) + ", \"grid\": " + quoted(facts.grid) +
                     ", \"checkpoints\": " + std::to_string(facts.checkpoints) +
                     ", \"first_step\": " + std::to_string(facts.first_step) +
                     ", \"last_step\": " + std::to_string(facts.last_step) +
                     ", \"replayed_steps\": " + std::to_string(facts.replayed_steps) +
                     ", \"seconds\": " + number(facts.seconds) +
                     ",\n \"held\": " + (table.held() && !table.has_unverified() ? "true" : "false") +
                     ", \"outcome\": " + quoted(outcome) + ",\n \"rows\": [";
  for (std::size_t i = 0; i < table.rows().size(); ++i)
    text += (i == 0 ? "\n  " : ",\n  ") + json_of(table.rows()[i]);
  return text + "\n ]}\n";
}

}  // namespace poise
