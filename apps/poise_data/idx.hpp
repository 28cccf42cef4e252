#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise_data/byte_reader.hpp"

namespace poise::data {

/// An IDX file of bytes (the format of MNIST), plain or .gz, read item by item, so that memory stays small.
/// Serial. The header is four bytes 0 0 type dimensions, then each extent as a big-endian 32-bit number.
class IdxReader {
 public:
  /// Reads and validates the header: magic number, bytes as values, no empty extent, and no more data than
  /// the file can hold. Throws bad_input.
  explicit IdxReader(const std::string& path);

  [[nodiscard]] const std::string& path() const { return file_.path(); }
  [[nodiscard]] const std::vector<Index>& shape() const { return shape_; }
  [[nodiscard]] Index items() const { return shape_.front(); }
  /// Bytes an item: the product of the extents behind the first.
  [[nodiscard]] Index item_size() const { return item_size_; }
  /// The next `count` items; throws bad_input if the file ends before, or goes on after the last.
  [[nodiscard]] std::vector<std::uint8_t> next(Index count);

 private:
  ByteReader file_;
  std::vector<Index> shape_;
  Index item_size_ = 1;
  Index position_ = 0;
};

}  // namespace poise::data
