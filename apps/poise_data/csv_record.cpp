#include "poise_data/csv_record.hpp"

#include <string_view>

#include "poise/base/error.hpp"

namespace poise::data {
namespace {

/// No table has longer lines, but a compressed file of one megabyte may hold one of a gigabyte.
constexpr std::size_t longest_line = std::size_t{1} << 26;

constexpr std::string_view opens_behind = ";\t|, \"";
constexpr auto npos = std::string_view::npos;

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The first of them that stands outside quotes.
char find_separator(const std::string& record) {
  for (const char separator : {';', '\t', '|', ','}) {
    bool inside = false;
    for (const char c : record) {
      if (c == '"') inside = !inside;
      if (c == separator && !inside) return separator;
    }
  }
  return ' ';
}

/// Takes the field that begins at `place`, which is left behind it.
CsvField take_field(const std::string& record, char separator, std::size_t& place) {
  const auto ends = [&](char c) { return separator == ' ' ? c == ' ' || c == '\t' : c == separator; };
  CsvField field;
  while (separator != ' ' && place < record.size() && (record[place] == ' ' || record[place] == '\t') &&
         record[place] != separator)
    ++place;
  if (place < record.size() && record[place] == '"') {
    field.quoted = true;
    for (++place; place < record.size(); ++place) {
      if (record[place] != '"') {
        field.text.push_back(record[place]);
      } else if (place + 1 < record.size() && record[place + 1] == '"') {
        field.text.push_back('"');
        ++place;
      } else {
        ++place;
        break;
      }
    }
  }
  std::string rest;
  while (place < record.size() && !ends(record[place])) rest.push_back(record[place++]);
  field.text += field.quoted ? trimmed(rest) : rest;
  if (!field.quoted) field.text = trimmed(field.text);
  return field;
}

}  // namespace

void split_record(const std::string& record, char separator, std::vector<CsvField>& fields) {
  fields.clear();
  std::size_t place = 0;
  if (separator == ' ') {  // runs of blanks are one separator
    while ((place = record.find_first_not_of(" \t", place)) != std::string::npos)
      fields.push_back(take_field(record, separator, place));
    return;
  }
  for (;;) {
    fields.push_back(take_field(record, separator, place));
    if (place >= record.size()) return;
    ++place;  // the separator
    if (place == record.size()) {
      fields.emplace_back();
      return;
    }
  }
}

std::vector<std::string> split_fields(const std::string& record, char separator) {
  std::vector<CsvField> fields;
  split_record(record, separator, fields);
  std::vector<std::string> texts;
  for (const CsvField& field : fields) texts.push_back(field.text);
  return texts;
}

CsvRecords::CsvRecords(const std::string& path, char separator) : text_(path), separator_(separator) {
  has_record_ = read_record();
  if (separator_ == 0) separator_ = find_separator(record_);
}

bool CsvRecords::read_record() {
  for (;;) {
    record_.clear();
    line_ = next_line_;
    bool inside = false, any = false;
    for (int c = 0; (c = text_.get()) >= 0;) {
      any = true;
      if (c == '\n') ++next_line_;
      if (c == '\n' && !inside) break;
      // A quote opens a field only at its start; a doubled one inside closes and opens again.
      if (c == '"') inside = !inside && (record_.empty() || opens_behind.find(record_.back()) != npos);
      if (record_.size() == longest_line)
        throw bad_input(text_.path() + ": has a line of more than 64 MiB: is it a text table?");
      record_.push_back(static_cast<char>(c));
      if (record_.front() == '#') inside = false;
    }
    if (inside)
      throw bad_input(text_.path() + ": line " + std::to_string(line_) +
                      ": a field begins with a quote (\") that is never closed");
    if (!any) return false;
    if (!trimmed(record_).empty() && record_.front() != '#') return true;
  }
}

bool CsvRecords::next(std::vector<CsvField>& fields) {
  if (!has_record_) return false;
  split_record(record_, separator_, fields);
  const Index line = line_;
  has_record_ = read_record();
  shown_line_ = line;
  return true;
}

}  // namespace poise::data
