#pragma once

#include <cstdint>
#include <memory>
#include <string>

struct gzFile_s;  // of zlib, whose header programs that use an installed Poise need not have

namespace poise::data {

/// Reads a plain or gzip-compressed file (zlib tells them apart), or bytes in memory, from the beginning.
/// Serial. Every error is bad_input and names the file. What it reads is not trusted: sizes found in a header
/// are compared with `capacity()` before memory is reserved for them.
class ByteReader {
 public:
  /// Throws if the file does not exist or cannot be read.
  explicit ByteReader(std::string path);
  /// Reads from bytes; `path` is for messages.
  ByteReader(std::string path, std::string bytes);

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Reads up to `size` bytes; fewer only at the end of the file. Throws if compressed data is broken.
  std::size_t read(void* to, std::size_t size);
  /// Reads exactly `size` bytes, which are `part` of the file; throws if the file ends before.
  void read_exact(void* to, std::size_t size, const std::string& part);
  /// The next byte, or -1 at the end of the file. Throws if compressed data is broken.
  int get();
  /// The next byte is then byte `place`, as it is after decompression. Compressed data is read again from its
  /// beginning to go back.
  void seek(std::uint64_t place);
  /// Throws if bytes are left behind `last`, which should have been the last part.
  void expect_end(const std::string& last);
  /// The largest number of bytes that the whole file can hold: its size, or the largest size after
  /// decompression.
  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
  /// Throws unless `items` x `item_size` bytes fit into `capacity()`. `promise`: what the header states, for
  /// the message.
  void expect_room(std::uint64_t items, std::uint64_t item_size, const std::string& promise) const;

 private:
  struct Close {
    void operator()(gzFile_s* file) const;
  };
  void check_stream() const;
  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;  // null: the bytes in memory
  std::string bytes_;
  std::size_t place_ = 0;
  std::uint64_t capacity_ = 0;
};

/// Text for an error message: at most 40 characters, unprintable ones as '?'.
[[nodiscard]] std::string quoted(const std::string& text);

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
