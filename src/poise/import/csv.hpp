#pragma once

#include <functional>
#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/base/process_grid.hpp"
#include "poise/import/reading.hpp"

namespace poise::data {

struct CsvField {
  std::string text;  ///< without quotes, and without blanks around it unless they are quoted
  bool quoted = false;
};

/// The records of a text table (RFC 4180), one after the other; empty lines and lines that begin with # or
/// another mark of comments are passed over. Serial. Throws bad_input where a quote is not closed, or a line
/// fills the memory.
class CsvRecords {
 public:
  /// `separator`: 0 to find it from the first record.
  CsvRecords(const std::string& path, char separator, std::string comment_marks = "#");

  /// False at the end of the file.
  bool next(std::vector<CsvField>& fields);
  /// The same without the fields.
  bool skip();
  /// The line that the last record began in, from 1.
  [[nodiscard]] Index line() const { return shown_line_; }
  [[nodiscard]] char separator() const { return separator_; }

 private:
  bool read_record();
  [[nodiscard]] bool is_comment() const;

  TextStream text_;
  char separator_ = 0;
  std::string comment_marks_;  // with which lines of comments begin
  std::string record_;         // as it stands in the file
  bool has_record_ = false;
  Index line_ = 0, next_line_ = 1, shown_line_ = 0;
};

/// The fields of a record.
void split_record(const std::string& record, char separator, std::vector<CsvField>& fields);
/// The texts of its fields.
[[nodiscard]] std::vector<std::string> split_fields(const std::string& record, char separator);

enum class CsvHeader { detect, yes, no };
enum class CsvDecimal { detect, point, comma };

/// How a table is written (options -csv_header, -csv_separator, -csv_decimal), and whether its rows with a
/// missing value are left out.
struct CsvFormat {
  CsvHeader header = CsvHeader::detect;
  char separator = 0;  ///< 0: found from the first record; ' ': runs of blanks
  CsvDecimal decimal = CsvDecimal::detect;
  bool drop_missing = false;
  /// The option of the program that leaves such rows out, for messages; empty: there is none.
  const char* cure_of_missing = "-drop_missing true";

  /// Declares and reads the options. Not collective.
  static CsvFormat from(Options& options);
};

/// The columns of a table that are not features.
struct CsvRoles {
  std::vector<Index> dropped;
  Index text = -1;                ///< the column whose fields stay texts; -1: none
  std::vector<Index> may_miss{};  ///< columns of numbers where a missing value is read as NaN
};

/// Decides the roles of the columns once their number and names (empty without a header) are known.
using CsvRolesOf = std::function<CsvRoles(Index columns, const std::vector<std::string>& names)>;

struct CsvRow {
  std::vector<double> numbers;
  std::string text;  ///< the field of the column CsvRoles::text
  Index line = 0;    ///< the line of the file that the row begins in, from 1
};

/// Reads fields as numbers, with the same decimal sign in the whole table.
class CsvNumbers {
 public:
  CsvNumbers(std::string path, const CsvFormat& format, char separator)
      : path_(std::move(path)), format_(format), separator_(separator) {}
  void set_names(const std::vector<std::string>& names) { names_ = names; }
  /// Throws bad_input that names line, column and cause. `first`: no row has been read before.
  double operator()(const CsvField& field, Index line, std::size_t column, bool first);

 private:
  [[nodiscard]] bool may_be_decimal(const CsvField& field) const;
  void note(std::string& here, const std::string& other, Index line, std::size_t column) const;
  [[nodiscard]] std::string at(Index line, std::size_t column) const;
  [[nodiscard]] std::string why_not(const CsvField& field, std::size_t column, bool first) const;

  std::string path_;
  CsvFormat format_;
  char separator_;
  std::vector<std::string> names_;
  std::string points_, commas_;  // where the first number with this sign stands
};

/// Reads a table, plain or .gz, row by row, by RFC 4180: fields may stand in double quotes, and then hold
/// separators, line ends and doubled quotes. UTF-8 or UTF-16, any line ends (TextStream). Serial.
///  - The separator is found from the first record: semicolon, else tab, else |, else comma, else runs of
///    blanks.
///  - Empty lines and lines that begin with # are skipped.
///  - detect: the first record is a header if none of its fields is a number, or if an empty field stands
///    before 0, 1, 2, ... (an index and columns without names, as pandas writes them).
///  - A comma is a decimal one where it cannot be the separator; a table that also has points is refused, and
///    so is a table, separated by commas, whose first such number is like "1,234": that may be a thousand.
///  - Fields that are empty or hold a word such as NA (means_missing) are missing values.
/// Throws bad_input for a ragged row, and for a field that is not a finite number (names line, column and
/// cause).
class CsvReader {
 public:
  CsvReader(const std::string& path, const CsvFormat& format, const CsvRolesOf& roles = {});

  /// Columns of numbers: how many, their names (empty without a header), and their places in the file from 0.
  [[nodiscard]] Index columns() const { return static_cast<Index>(numbers_.size()); }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] const std::vector<Index>& numbers() const { return numbers_; }
  /// False at the end of the file.
  bool next(CsvRow& row);
  /// Passes over a row without looking at its fields, also over rows that `next` leaves out. False at the end
  /// of the file.
  bool skip();
  /// Rows that were left out until now, because they have a missing value (CsvFormat::drop_missing).
  [[nodiscard]] Index left_out() const { return left_out_; }

 private:
  enum class Column { number, may_miss, text, dropped };
  void set_columns(const std::vector<std::string>& all_names, const CsvRoles& roles);
  [[nodiscard]] bool misses_a_value(const std::vector<CsvField>& fields) const;

  std::string path_;
  CsvFormat format_;
  CsvRecords records_;
  CsvNumbers number_;
  std::vector<Column> columns_;
  std::vector<std::string> names_;
  std::vector<Index> numbers_;
  std::vector<CsvField> fields_;
  bool has_fields_ = false;  // the first record is no header, and has not been given yet
  bool first_ = true;        // no row has been given
  Index left_out_ = 0;
};

/// A text table: numbers, row-major, and one column of texts.
struct CsvTable {
  std::string path;
  Index rows = 0;
  Index left_out = 0;              ///< rows with a missing value (CsvFormat::drop_missing)
  Index columns = 0;               ///< of numbers
  std::vector<std::string> names;  ///< of the columns of numbers; empty without a header
  std::vector<Index> numbers;      ///< of the columns of numbers in the file, from 0
  std::vector<double> values;      ///< rows x columns
  std::vector<std::string> texts;  ///< one per row, if CsvRoles::text names a column
  std::vector<Index> lines;        ///< the line of the file each row begins in, from 1, for messages
  /// The place of a row in the file, as FILE: line L.
  [[nodiscard]] std::string at(Index row) const;
};

/// Reads the whole table (CsvReader). Throws bad_input for an empty one, too.
[[nodiscard]] CsvTable read_csv(const std::string& path, const CsvFormat& format = {},
                                const CsvRolesOf& roles = {});

/// Columns by number or name, "0,-1,age": a negative number counts from the end. Throws bad_input naming
/// `option` if one does not exist or is given twice.
[[nodiscard]] std::vector<Index> parse_columns(const std::string& text, Index columns,
                                               const std::vector<std::string>& names,
                                               const std::string& option);

/// Whether a word stands for a missing value: NA, nan, ?, ...
[[nodiscard]] bool means_missing(std::string text);

/// A number as a table or a command line has it, with a sign and blanks around it; nothing if it is none.
[[nodiscard]] bool is_number(const std::string& text, double& value);

/// The order of labels: numbers by size, before words by letters; 1 and 1.0 are one label.
struct LabelOrder {
  bool operator()(const std::string& a, const std::string& b) const;
};

/// Whether the first column is an index of the rows, which no model may see: programs that write such a
/// column leave its name empty.
[[nodiscard]] bool begins_with_index(const std::vector<std::string>& names);

}  // namespace poise::data
