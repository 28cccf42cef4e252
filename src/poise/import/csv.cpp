#include "poise/import/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
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

/// The first separator of the list that stands outside quotes.
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

/// Reads the field that begins at `place`; `place` is then behind the field.
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

using Fields = std::vector<CsvField>;

bool is_header(const Fields& fields) {
  double value = 0.0;
  if (std::none_of(fields.begin(), fields.end(), [&](const CsvField& f) { return is_number(f.text, value); }))
    return true;
  if (!fields[0].text.empty()) return false;
  for (std::size_t c = 1; c < fields.size(); ++c)
    if (fields[c].text != std::to_string(c - 1)) return false;
  return true;
}

/// "1,234": a comma before three digits, behind one to three that do not begin with 0.
bool may_be_thousands(std::string_view text) {
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
  const auto comma = text.find(',');
  return comma >= 1 && comma <= 3 && text.size() == comma + 4 && text.front() != '0';
}

/// A name for tables and headers: line ends and the like become blanks.
std::string one_line(std::string name) {
  for (char& c : name)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return name;
}

/// A word such as NA, or a number that is not finite.
bool says_missing(const std::string& text) {
  double value = 0.0;
  return means_missing(text) || (is_number(text, value) && !std::isfinite(value));
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

CsvRecords::CsvRecords(const std::string& path, char separator, std::string comment_marks)
    : text_(path), separator_(separator), comment_marks_(std::move(comment_marks)) {
  has_record_ = read_record();
  if (separator_ == 0) separator_ = find_separator(record_);
}

bool CsvRecords::is_comment() const {
  return !record_.empty() && comment_marks_.find(record_.front()) != std::string::npos;
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
      if (is_comment()) inside = false;
    }
    if (inside)
      throw bad_input(fmt::format("{}: line {}: a field begins with a quote (\") that is never closed",
                                  text_.path(), line_));
    if (!any) return false;
    if (!trimmed(record_).empty() && !is_comment()) return true;
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

bool CsvRecords::skip() {
  if (!has_record_) return false;
  shown_line_ = line_;
  has_record_ = read_record();
  return true;
}

CsvFormat CsvFormat::from(Options& options) {
  CsvFormat format;
  const std::string header =
      options.choice("csv_header", "detect", {"detect", "true", "false"},
                     "whether the first line names the columns (detect: true if the line holds no number)");
  if (header != "detect") format.header = header == "true" ? CsvHeader::yes : CsvHeader::no;
  const std::string separator =
      options.choice("csv_separator", "detect", {"detect", "comma", "semicolon", "tab", "bar", "blanks"},
                     "separator of the fields (detect: the first of semicolon, tab, bar, comma that the "
                     "first line has, else blanks)");
  if (separator != "detect")
    format.separator = separator == "comma"       ? ','
                       : separator == "semicolon" ? ';'
                       : separator == "tab"       ? '\t'
                       : separator == "bar"       ? '|'
                                                  : ' ';
  const std::string decimal =
      options.choice("csv_decimal", "detect", {"detect", "point", "comma"},
                     "decimal sign (detect: a comma if commas do not separate the fields)");
  if (decimal != "detect") format.decimal = decimal == "comma" ? CsvDecimal::comma : CsvDecimal::point;
  return format;
}

std::string CsvTable::at(Index row) const {
  return fmt::format("{}: line {}", path, lines[static_cast<std::size_t>(row)]);
}

bool means_missing(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  static const std::array<std::string_view, 11> words{"na",   "n/a", "nan", "null", "none",   "nil",
                                                      "-nan", "?",   "-",   "#n/a", "missing"};
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_number(const std::string& text, double& value) {
  std::string_view field(text);
  if (field.size() > 1 && field.front() == '+' && field[1] != '-') field.remove_prefix(1);
  const char* end = field.data() + field.size();
  const auto [stop, code] = std::from_chars(field.data(), end, value);
  return !field.empty() && code == std::errc{} && stop == end;
}

double CsvNumbers::operator()(const CsvField& field, Index line, std::size_t column, bool first) {
  double value = 0.0;
  const auto comma = field.text.find(',');
  const bool by_comma = comma != std::string::npos && may_be_decimal(field);
  if (by_comma) {
    std::string text = field.text;
    text[comma] = '.';
    if (field.text.find('.') == std::string::npos && is_number(text, value) && std::isfinite(value)) {
      if (format_.decimal == CsvDecimal::detect && separator_ == ',' && commas_.empty() &&
          may_be_thousands(field.text))
        throw bad_input(
            at(line, column) + quoted(field.text) +
            " has a decimal comma or a separator of thousands: -csv_decimal comma takes it for a decimal "
            "one; remove separators of thousands");
      note(commas_, points_, line, column);
      return value;
    }
  } else if (format_.decimal != CsvDecimal::comma || field.text.find('.') == std::string::npos) {
    if (is_number(field.text, value) && std::isfinite(value)) {
      if (field.text.find('.') != std::string::npos) note(points_, commas_, line, column);
      return value;
    }
  }
  throw bad_input(at(line, column) + why_not(field, column, first));
}

bool CsvNumbers::may_be_decimal(const CsvField& field) const {
  if (format_.decimal == CsvDecimal::detect) return separator_ != ',' || field.quoted;
  return format_.decimal == CsvDecimal::comma;
}

/// `here`: where the first number with this sign stands; the other sign must not have been seen.
void CsvNumbers::note(std::string& here, const std::string& other, Index line, std::size_t column) const {
  if (here.empty()) here = at(line, column);
  if (format_.decimal == CsvDecimal::detect && !other.empty())
    throw bad_input(here + "this number and the one at " + other +
                    "have different decimal signs, point and comma: say which one is meant by -csv_decimal");
}

std::string CsvNumbers::at(Index line, std::size_t column) const {
  std::string name;
  if (column < names_.size()) name = " (" + quoted(names_[column]) + ")";
  return fmt::format("{}: line {}, column {}{}: ", path_, line, column, name);
}

std::string CsvNumbers::why_not(const CsvField& field, std::size_t column, bool first) const {
  const std::string rows_out = format_.cure_of_missing;
  const std::string cure =
      "the value is missing; fill it in, " +
      (rows_out.empty() ? "or leave the column out by -drop_columns"
                        : "leave such rows out by " + rows_out + ", or the column by -drop_columns");
  if (field.text.empty()) return "the field is empty: " + cure;
  if (says_missing(field.text)) return quoted(field.text) + " is not a finite number: " + cure;
  std::string text = quoted(field.text) + " is not a number";
  if (field.text.find_first_of("0123456789") == 0 && field.text.find(',') != std::string::npos)
    return text + "; a decimal comma is taken by -csv_decimal comma, thousands separators are not";
  if (first && names_.empty()) text += " (-csv_header true if this line holds the names of the columns)";
  return fmt::format(
      "{}; a column of words must be encoded as numbers, be the -label_column, or be left out by "
      "-drop_columns {}",
      text, column);
}

CsvReader::CsvReader(const std::string& path, const CsvFormat& format, const CsvRolesOf& roles)
    : path_(path),
      format_(format),
      records_(path, format.separator),
      number_(path, format, records_.separator()) {
  has_fields_ = records_.next(fields_);
  if (!has_fields_) return;
  const bool header =
      format.header == CsvHeader::yes || (format.header == CsvHeader::detect && is_header(fields_));
  std::vector<std::string> all_names;
  if (header)
    for (const CsvField& field : fields_) all_names.push_back(one_line(field.text));
  columns_.assign(fields_.size(), Column::number);
  set_columns(all_names, roles ? roles(static_cast<Index>(fields_.size()), all_names) : CsvRoles{});
  number_.set_names(all_names);
  has_fields_ = !header;
}

void CsvReader::set_columns(const std::vector<std::string>& all_names, const CsvRoles& roles) {
  for (const Index column : roles.may_miss) columns_[static_cast<std::size_t>(column)] = Column::may_miss;
  for (const Index column : roles.dropped) columns_[static_cast<std::size_t>(column)] = Column::dropped;
  if (roles.text >= 0) columns_[static_cast<std::size_t>(roles.text)] = Column::text;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    if (columns_[c] == Column::text || columns_[c] == Column::dropped) continue;
    numbers_.push_back(static_cast<Index>(c));
    if (!all_names.empty()) names_.push_back(all_names[c]);
  }
}

/// Whether a field of a column that is not dropped is empty or says that its value is missing.
bool CsvReader::misses_a_value(const Fields& fields) const {
  for (std::size_t c = 0; c < fields.size(); ++c)
    if (columns_[c] != Column::dropped && (fields[c].text.empty() || says_missing(fields[c].text)))
      return true;
  return false;
}

bool CsvReader::skip() {
  if (!has_fields_) return records_.skip();
  has_fields_ = false;
  return true;
}

bool CsvReader::next(CsvRow& row) {
  for (;;) {
    if (!has_fields_ && !records_.next(fields_)) return false;
    has_fields_ = false;
    row.line = records_.line();
    if (fields_.size() != columns_.size())
      throw bad_input(
          fmt::format("{}: line {}: has {} fields, the rows above {}: every row needs the same columns",
                      path_, row.line, fields_.size(), columns_.size()));
    if (!format_.drop_missing || !misses_a_value(fields_)) break;
    ++left_out_;
  }
  row.numbers.clear();
  for (std::size_t c = 0; c < fields_.size(); ++c) {
    const std::string& text = fields_[c].text;
    if (columns_[c] == Column::text)
      row.text = text;
    else if (columns_[c] == Column::may_miss && (text.empty() || says_missing(text)))
      row.numbers.push_back(std::numeric_limits<double>::quiet_NaN());
    else if (columns_[c] != Column::dropped)
      row.numbers.push_back(number_(fields_[c], row.line, c, first_));
  }
  first_ = false;
  return true;
}

CsvTable read_csv(const std::string& path, const CsvFormat& format, const CsvRolesOf& roles) {
  bool has_texts = false;
  CsvReader reader(path, format, [&](Index columns, const std::vector<std::string>& names) {
    CsvRoles all = roles ? roles(columns, names) : CsvRoles{};
    has_texts = all.text >= 0;
    return all;
  });
  CsvTable table;
  table.path = path;
  table.columns = reader.columns();
  table.names = reader.names();
  table.numbers = reader.numbers();
  for (CsvRow row; reader.next(row); ++table.rows) {
    if (has_texts) table.texts.push_back(row.text);
    table.values.insert(table.values.end(), row.numbers.begin(), row.numbers.end());
    table.lines.push_back(row.line);
  }
  table.left_out = reader.left_out();
  if (table.rows == 0 && table.left_out > 0) throw bad_input(path + ": every row has a missing value");
  if (table.rows == 0) throw bad_input(path + ": holds no row of numbers: is it a text table?");
  return table;
}

bool LabelOrder::operator()(const std::string& a, const std::string& b) const {
  double x = 0.0, y = 0.0;
  const bool a_is = is_number(a, x), b_is = is_number(b, y);
  if (a_is && b_is) return x < y;
  if (a_is != b_is) return a_is;
  return a < b;
}

bool begins_with_index(const std::vector<std::string>& names) {
  return names.size() > 1 && (names[0].empty() || names[0] == "Unnamed: 0");
}

std::vector<Index> parse_columns(const std::string& text, Index columns,
                                 const std::vector<std::string>& names, const std::string& option) {
  std::vector<Index> chosen;
  for (const std::string& word : split_fields(text, ',')) {
    Index column = 0;
    const auto [stop, code] = std::from_chars(word.data(), word.data() + word.size(), column);
    Index index = column < 0 ? column + columns : column;
    if (code != std::errc{} || stop != word.data() + word.size()) {
      const auto named = std::find(names.begin(), names.end(), word);
      if (named == names.end()) {
        const std::string near = nearest_name(word, names);
        throw bad_input(
            fmt::format("option {}: {} is not the number of a column (0 is the first, -1 the last){}{}",
                        option, quoted(word), names.empty() ? "" : ", nor the name of one",
                        near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
      }
      if (std::find(named + 1, names.end(), word) != names.end())
        throw bad_input(fmt::format("option {}: two columns have the name {}; give the number of one", option,
                                    quoted(word)));
      index = named - names.begin();
    }
    if (index < 0 || index >= columns)
      throw bad_input(
          fmt::format("option {}: column {} is not one of the {} columns (0 is the first, -1 the last)",
                      option, word, columns));
    if (std::find(chosen.begin(), chosen.end(), index) != chosen.end())
      throw bad_input(fmt::format("option {}: column {} is given twice", option, word));
    chosen.push_back(index);
  }
  return chosen;
}

}  // namespace poise::data
