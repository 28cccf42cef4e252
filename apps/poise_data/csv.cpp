#include "poise_data/csv.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "poise/base/error.hpp"
#include "poise_data/byte_reader.hpp"

namespace poise {
namespace {

using Fields = std::vector<std::string_view>;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  text = text.substr(first, text.find_last_not_of(" \t") - first + 1);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return text;
}

char find_separator(const std::string& line) {
  for (const char separator : {';', '\t', ','})
    if (line.find(separator) != std::string::npos) return separator;
  return ' ';
}

void split_line(std::string_view line, char separator, Fields& fields) {
  fields.clear();
  if (separator == ' ') {  // runs of blanks are one separator
    for (std::size_t begin = 0; (begin = line.find_first_not_of(" \t", begin)) != std::string_view::npos;) {
      const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
      fields.push_back(trimmed(line.substr(begin, end - begin)));
      begin = end;
    }
    return;
  }
  for (std::size_t begin = 0;;) {
    const std::size_t end = line.find(separator, begin);
    fields.push_back(trimmed(line.substr(begin, end - begin)));
    if (end == std::string_view::npos) return;
    begin = end + 1;
  }
}

std::optional<double> to_number(std::string_view field) {
  if (field.size() > 1 && field.front() == '+' && field[1] != '-') field.remove_prefix(1);
  double value = 0.0;
  const char* end = field.data() + field.size();
  const auto [stop, code] = std::from_chars(field.data(), end, value);
  if (field.empty() || code != std::errc{} || stop != end) return std::nullopt;
  return value;
}

bool is_header(const Fields& fields) {
  return std::none_of(fields.begin(), fields.end(), [](auto field) { return to_number(field).has_value(); });
}

std::string at_line(const std::string& path, Index line) {
  return path + ": line " + std::to_string(line);
}

double number_at(const CsvTable& table, Index line, std::size_t column, std::string_view field) {
  const auto value = to_number(field);
  if (value && std::isfinite(*value)) return *value;
  std::string message = at_line(table.path, line) + ", column " + std::to_string(column) + ": ";
  if (field.empty()) {
    message += "the field is empty; fill in the missing value or leave the row out";
  } else if (value) {
    message += quoted(std::string(field)) + " is not a finite number; fill it in or leave the row out";
  } else {
    message += quoted(std::string(field)) + " is not a number";
    if (table.rows == 0) message += " (-csv_header true if this line holds the names of the columns)";
  }
  throw bad_input(message);
}

void append_row(CsvTable& table, Index line, const Fields& fields) {
  const auto width = static_cast<Index>(fields.size());
  if (table.rows == 0) table.columns = width;
  if (width != table.columns)
    throw bad_input(at_line(table.path, line) + ": has " + std::to_string(width) +
                    " fields, the rows above " + std::to_string(table.columns) +
                    ": every row needs the same columns");
  for (std::size_t column = 0; column < fields.size(); ++column)
    table.values.push_back(number_at(table, line, column, fields[column]));
  table.lines.push_back(line);
  ++table.rows;
}

}  // namespace

CsvTable read_csv(const std::string& path, CsvHeader header) {
  ByteReader file(path);
  CsvTable table;
  table.path = path;
  std::string line;
  Fields fields;
  char separator = 0;
  for (Index number = 1; file.read_line(line); ++number) {
    if (number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);  // byte order mark
    if (trimmed(line).empty() || line.front() == '#') continue;
    const bool first = separator == 0;
    if (first) separator = find_separator(line);
    split_line(line, separator, fields);
    if (first && (header == CsvHeader::yes || (header == CsvHeader::detect && is_header(fields)))) continue;
    append_row(table, number, fields);
  }
  if (table.rows == 0) throw bad_input(path + ": holds no row of numbers: is it a text table?");
  return table;
}

std::vector<Index> parse_columns(const std::string& text, Index columns, const std::string& option) {
  std::vector<Index> chosen;
  Fields fields;
  split_line(text, ',', fields);
  for (const auto field : fields) {
    Index column = 0;
    const auto [stop, code] = std::from_chars(field.data(), field.data() + field.size(), column);
    if (code != std::errc{} || stop != field.data() + field.size())
      throw bad_input("option " + option + ": " + quoted(std::string(field)) +
                      " is not the number of a column (0 is the first, -1 the last)");
    const Index index = column < 0 ? column + columns : column;
    if (index < 0 || index >= columns)
      throw bad_input("option " + option + ": column " + std::to_string(column) + " is not one of the " +
                      std::to_string(columns) + " columns (0 is the first, -1 the last)");
    if (std::find(chosen.begin(), chosen.end(), index) != chosen.end())
      throw bad_input("option " + option + ": column " + std::to_string(column) + " is given twice");
    chosen.push_back(index);
  }
  return chosen;
}

}  // namespace poise
