#include "poise_spectrum/table.hpp"

#include <cmath>
#include <cstdio>

#include "poise/base/agree.hpp"
#include "poise/base/options.hpp"
#include "poise/io/durable.hpp"

namespace poise {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
      out += code;
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// JSON has no infinity.
std::string number(double value) {
  return std::isfinite(value) ? to_text(value) : "null";
}

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string short_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", value);
  return text;
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

/// Pads to `width` characters; bytes that continue one of UTF-8 take no room.
std::string padded(const std::string& text, std::size_t width) {
  std::size_t size = 0;
  for (const char c : text) size += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
  return text + std::string(size < width ? width - size : 0, ' ');
}

}  // namespace

void Table::fact(const std::string& name, const std::string& text) {
  facts_.emplace_back(name, quoted(text));
}

void Table::fact(const std::string& name, double value) {
  facts_.emplace_back(name, number(value));
}

void Table::section(const std::string& name, const std::string& title) {
  section_ = name;
  if (speaks_) std::printf("\n%s\n", title.c_str());
}

void Table::add(const Quantity& q) {
  if (speaks_) {
    std::printf("  %s %s %s  %s\n", padded(q.label, 23).c_str(), padded(value_text(q), 28).c_str(),
                padded(q.residual ? short_text(*q.residual) : "", 8).c_str(), theory_text(q.theory).c_str());
    std::fflush(stdout);
  }
  std::string entry = "{\"section\": " + quoted(section_) + ", \"name\": " + quoted(q.name);
  entry += q.high ? ", \"low\": " + number(q.value) + ", \"high\": " + number(*q.high)
                  : ", \"value\": " + number(q.imaginary ? std::hypot(q.value, *q.imaginary) : q.value);
  if (q.imaginary) entry += ", \"real\": " + number(q.value) + ", \"imaginary\": " + number(*q.imaginary);
  if (q.residual) entry += ", \"residual\": " + number(*q.residual);
  if (q.condition) entry += ", \"condition\": " + number(*q.condition);
  if (!q.theory.relation.empty())
    entry += ", \"relation\": " + quoted(q.theory.relation) + ", \"bound\": " + number(q.theory.bound);
  if (!q.theory.note.empty()) entry += ", \"theory\": " + quoted(q.theory.note);
  if (q.products > 0) entry += ", \"products\": " + std::to_string(q.products);
  entries_.push_back(entry + "}");
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
  notes_.push_back("{\"section\": " + quoted(section_) + ", \"note\": " + quoted(text) + "}");
}

std::string Table::json() const {
  std::string text = "{\n  \"schema\": \"poise-spectrum-1\"";
  for (const auto& [name, value] : facts_) text += ",\n  " + quoted(name) + ": " + value;
  const auto list = [&](const std::string& name, const std::vector<std::string>& items) {
    text += ",\n  " + quoted(name) + ": [";
    for (std::size_t i = 0; i < items.size(); ++i) text += (i == 0 ? "\n    " : ",\n    ") + items[i];
    text += "\n  ]";
  };
  list("quantities", entries_);
  list("notes", notes_);
  return text + "\n}\n";
}

void Table::write(MPI_Comm comm, const std::string& path) const {
  if (path.empty()) return;
  on_root(comm, [&] { replace_file(path, json()); });
}

}  // namespace poise
