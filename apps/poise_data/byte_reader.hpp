#pragma once

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <string>

namespace poise::data {

/// Reads a plain or gzip-compressed file (zlib tells them apart), or bytes in memory, from the beginning.
/// Serial. Every error is bad_input and names the file. What it reads is not trusted: sizes found in a header
/// are compared with `capacity()` before memory is reserved for them.
class ByteReader {
 public:
  /// Throws if the file does not exist or cannot be read.
  explicit ByteReader(std::string path);
  /// Of bytes; `path` is for messages.
  ByteReader(std::string path, std::string bytes);

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Reads up to `size` bytes; fewer only at the end of the file. Throws if compressed data is broken.
  std::size_t read(void* to, std::size_t size);
  /// Reads exactly `size` bytes; throws if the file ends before, naming `part`, what the bytes are.
  void read_exact(void* to, std::size_t size, const std::string& part);
  /// The next byte, or -1 at the end of the file. Throws if compressed data is broken.
  int get();
  /// Throws if bytes are left, naming what should have been the last.
  void expect_end(const std::string& last);
  /// At most this many bytes can come out of the whole file: its size, or what deflate can at best make of
  /// it.
  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
  /// Throws unless `items` x `item_size` bytes fit into `capacity()`. `promise` says what the header states.
  void expect_room(std::uint64_t items, std::uint64_t item_size, const std::string& promise) const;

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose_r(file); }
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

}  // namespace poise::data
