#pragma once

#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {

/// Numbers of a text table, row-major.
struct CsvTable {
  std::string path;
  Index rows = 0;
  Index columns = 0;
  std::vector<double> values;  ///< rows x columns
  std::vector<Index> lines;    ///< the line of the file each row stands in, from 1, for messages
};

enum class CsvHeader { detect, yes, no };

/// Reads a table of finite numbers (plain or .gz). Serial.
///  - The separator is found from the first line: semicolon, else tab, else comma, else runs of blanks.
///  - Empty lines and lines that begin with # are skipped; numbers may stand in double quotes.
///  - detect: the first line is a header if none of its fields is a number.
/// Throws bad_input for a ragged row (names the line) and for a field that is not a finite number (names line
/// and column), an empty table included.
[[nodiscard]] CsvTable read_csv(const std::string& path, CsvHeader header = CsvHeader::detect);

/// Indices "0,-1,…" into `columns` columns; a negative one counts from the end. Throws bad_input naming
/// `option` if one is no integer, out of range or given twice.
[[nodiscard]] std::vector<Index> parse_columns(const std::string& text, Index columns,
                                               const std::string& option);

}  // namespace poise
