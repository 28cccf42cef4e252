#pragma once

#include <string>

#include "poise_data/byte_reader.hpp"

namespace poise::data {

/// The characters of a text file, plain or .gz, as UTF-8 with line ends LF, whatever the file has: UTF-8 or
/// UTF-16 (told by its byte order mark), CR LF, LF or CR. Serial; throws as ByteReader.
class TextStream {
 public:
  explicit TextStream(const std::string& path);

  /// The next byte, or -1 at the end of the file.
  int get();
  [[nodiscard]] const std::string& path() const { return bytes_.path(); }

 private:
  enum class Encoding { utf8, utf16_little, utf16_big };
  int decoded();
  int unit();

  ByteReader bytes_;
  Encoding encoding_ = Encoding::utf8;
  std::string pending_;  // decoded, not yet given
  std::size_t given_ = 0;
  int held_ = none;  // a byte behind a CR
  static constexpr int none = -2;
};

/// Appends a character as UTF-8.
void append_utf8(std::string& text, unsigned long code_point);

}  // namespace poise::data
