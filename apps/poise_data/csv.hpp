#pragma once

#include <functional>
#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/base/process_grid.hpp"

namespace poise::data {

enum class CsvHeader { detect, yes, no };
enum class CsvDecimal { detect, point, comma };

/// How a table is written (options -csv_header, -csv_separator, -csv_decimal), and whether its rows with a
/// missing value are left out (-drop_missing).
struct CsvFormat {
  CsvHeader header = CsvHeader::detect;
  char separator = 0;  ///< 0: found from the first record; ' ': runs of blanks
  CsvDecimal decimal = CsvDecimal::detect;
  bool drop_missing = false;

  /// Declares and reads the options. Not collective.
  static CsvFormat from(Options& options);
};

/// What a reader takes of a table of so many columns; the others are features.
struct CsvRoles {
  std::vector<Index> dropped;
  Index text = -1;  ///< this column is kept as it is written; -1: none
};

/// A text table: numbers, row-major, and one column of texts.
struct CsvTable {
  std::string path;
  Index rows = 0;
  Index left_out = 0;              ///< rows with a missing value (CsvFormat::drop_missing)
  Index columns = 0;               ///< of numbers
  std::vector<std::string> names;  ///< of these columns; empty without a header
  std::vector<Index> numbers;      ///< of these columns in the file, from 0
  std::vector<double> values;      ///< rows x columns
  std::vector<std::string> texts;  ///< one for each row, if a column of texts was asked for
  std::vector<Index> lines;        ///< the line of the file each row begins in, from 1, for messages
  /// Where a number stands in the file, as FILE: line L.
  [[nodiscard]] std::string at(Index row) const;
};

/// Reads a table, plain or .gz, by RFC 4180: fields may stand in double quotes, and then hold separators,
/// line ends and doubled quotes. UTF-8 or UTF-16, any line ends (TextStream). Serial.
///  - The separator is found from the first record: semicolon, else tab, else |, else comma, else runs of
///    blanks.
///  - Empty lines and lines that begin with # are skipped.
///  - detect: the first record is a header if none of its fields is a number, or if an empty field stands
///    before 0, 1, 2, ... (an index and columns without names, as pandas writes them).
///  - A comma is a decimal one where it cannot be the separator; a table that also has points is refused, and
///    so is a table, separated by commas, whose first such number is like "1,234": that may be a thousand.
///  - Fields that are empty or hold a word such as NA (means_missing) are missing values.
/// `roles` is called once the columns and their names (empty without a header) are known. Throws bad_input
/// for a ragged row, for a field that is not a finite number (names line, column and cause), an empty table
/// included.
[[nodiscard]] CsvTable read_csv(
    const std::string& path, const CsvFormat& format = {},
    const std::function<CsvRoles(Index columns, const std::vector<std::string>& names)>& roles = {});

/// Columns by number or name, "0,-1,age": a negative number counts from the end. Throws bad_input naming
/// `option` if one does not exist or is given twice.
[[nodiscard]] std::vector<Index> parse_columns(const std::string& text, Index columns,
                                               const std::vector<std::string>& names,
                                               const std::string& option);

/// Whether a word stands for a missing value: NA, nan, ?, ...
[[nodiscard]] bool means_missing(std::string text);

/// A number as a table or a command line has it, with a sign and blanks around it; nothing if it is none.
[[nodiscard]] bool is_number(const std::string& text, double& value);

}  // namespace poise::data
