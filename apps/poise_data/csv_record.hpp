#pragma once

#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise_data/text_stream.hpp"

namespace poise::data {

struct CsvField {
  std::string text;  ///< without quotes, and without blanks around it unless they are quoted
  bool quoted = false;
};

/// The records of a text table (RFC 4180), one after the other; empty lines and lines that begin with # are
/// passed over. Serial. Throws bad_input where a quote is not closed, or a line fills the memory.
class CsvRecords {
 public:
  /// `separator`: 0 to find it from the first record.
  CsvRecords(const std::string& path, char separator);

  /// False at the end of the file.
  bool next(std::vector<CsvField>& fields);
  /// The line that the last record began in, from 1.
  [[nodiscard]] Index line() const { return shown_line_; }
  [[nodiscard]] char separator() const { return separator_; }

 private:
  bool read_record();

  TextStream text_;
  char separator_ = 0;
  std::string record_;  // as it stands in the file
  bool has_record_ = false;
  Index line_ = 0, next_line_ = 1, shown_line_ = 0;
};

/// The fields of a record.
void split_record(const std::string& record, char separator, std::vector<CsvField>& fields);
/// The texts of its fields.
[[nodiscard]] std::vector<std::string> split_fields(const std::string& record, char separator);

}  // namespace poise::data
