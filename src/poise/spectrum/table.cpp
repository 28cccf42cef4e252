#include "poise/spectrum/table.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "poise/base/agree.hpp"
#include "poise/base/options.hpp"
#include "poise/base/text.hpp"
#include "poise/io/durable.hpp"

namespace poise::spectrum {
namespace {

using Json = nlohmann::ordered_json;

/// Parsed from the text of the number, so that whole numbers stay whole.
Json number(double value) {
  return Json::parse(json_number(value));
}

Json json_of(const std::string& section, const Quantity& q) {
  Json json = {{"section", section}, {"name", q.name}};
  if (q.high) {
    json["low"] = number(q.value);
    json["high"] = number(*q.high);
  } else {
    json["value"] = number(q.imaginary ? std::hypot(q.value, *q.imaginary) : q.value);
  }
  if (q.imaginary) {
    json["real"] = number(q.value);
    json["imaginary"] = number(*q.imaginary);
  }
  if (q.residual) json["residual"] = number(*q.residual);
  if (q.condition) json["condition"] = number(*q.condition);
  if (!q.theory.relation.empty()) {
    json["relation"] = q.theory.relation;
    json["bound"] = number(q.theory.bound);
  }
  if (!q.theory.note.empty()) json["theory"] = q.theory.note;
  if (q.products > 0) json["products"] = q.products;
  return json;
}

std::string shown(double value) {
  return brief(value, 9);
}

std::string value_text(const Quantity& q) {
  if (q.high) return "[" + shown(q.value) + ", " + shown(*q.high) + "]";
  if (!q.imaginary || *q.imaginary == 0.0) return shown(q.value);
  return shown(q.value) + (*q.imaginary < 0.0 ? " - " : " + ") + shown(std::abs(*q.imaginary)) + "i";
}

std::string theory_text(const Theory& theory) {
  std::string text;
  if (!theory.relation.empty()) text = theory.relation + " " + shown(theory.bound);
  if (!theory.note.empty()) text += (text.empty() ? "" : "  ") + theory.note;
  return text;
}

/// Pads to `width` characters; continuation bytes of UTF-8 do not count.
std::string padded(const std::string& text, std::size_t width) {
  std::size_t size = 0;
  for (const char c : text) size += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  return text + std::string(size < width ? width - size : 0, ' ');
}

}  // namespace

void Table::fact(const std::string& name, const std::string& text) {
  facts_.emplace_back(name, text);
}

void Table::fact(const std::string& name, double value) {
  facts_.emplace_back(name, value);
}

void Table::section(const std::string& name, const std::string& title) {
  section_ = name;
  if (speaks_) std::printf("\n%s\n", title.c_str());
}

void Table::add(const Quantity& q) {
  if (speaks_) {
    std::printf("  %s %s %s  %s\n", padded(q.label, 23).c_str(), padded(value_text(q), 28).c_str(),
                padded(q.residual ? fmt::format("{:.1e}", *q.residual) : "", 8).c_str(),
                theory_text(q.theory).c_str());
    std::fflush(stdout);
  }
  quantities_.emplace_back(section_, q);
}

void Table::add(const std::string& name, const std::string& label, const SpectralValue& value,
                const Theory& theory) {
  add({.name = name,
       .label = label,
       .value = value.value,
       .residual = value.residual,
       .theory = theory,
       .products = value.products});
}

void Table::note(const std::string& text) {
  if (speaks_) std::printf("  %s\n", text.c_str());
  notes_.emplace_back(section_, text);
}

std::string Table::json() const {
  Json json = {{"schema", "poise-spectrum-1"}};
  for (const auto& [name, value] : facts_) {
    if (const auto* word = std::get_if<std::string>(&value))
      json[name] = *word;
    else
      json[name] = number(std::get<double>(value));
  }
  json["quantities"] = Json::array();
  json["notes"] = Json::array();
  for (const auto& [section, quantity] : quantities_)
    json["quantities"].push_back(json_of(section, quantity));
  for (const auto& [section, note] : notes_) json["notes"].push_back({{"section", section}, {"note", note}});
  // JSON must be UTF-8, but names of files need not be.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void Table::write(MPI_Comm comm, const std::string& path) const {
  if (path.empty()) return;
  on_root(comm, [&] { replace_file(path, json()); });
}

}  // namespace poise::spectrum
