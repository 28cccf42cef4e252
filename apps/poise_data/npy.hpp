#pragma once

#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise_data/reading.hpp"

namespace poise::data {

/// The numbers of an NPY file as a matrix, row-major: one row for each index of the first dimension, the
/// other dimensions flattened. A one-dimensional array has one column.
struct NpyMatrix {
  std::string path;
  Index rows = 0;
  Index columns = 0;
  std::vector<double> values;      ///< rows x columns
  std::vector<std::string> texts;  ///< of an array of texts, instead of values
  bool whole = false;              ///< the type has whole numbers only
};

/// Reads an NPY file (versions 1 to 3, plain or .gz): bool, f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 of either byte
/// order, texts (S, U), C or Fortran order. Serial. Throws bad_input for a broken header, another type, an
/// empty array, more data than the file holds, or less. Integers beyond 2^53 are rounded.
[[nodiscard]] NpyMatrix read_npy(const std::string& path);
/// Reads an NPY file from bytes, such as a member of an NPZ file.
[[nodiscard]] NpyMatrix read_npy(ByteReader& file);

/// An NPZ file: a ZIP file of NPY arrays, stored or deflated. Serial. Sizes in the file are checked before
/// memory is reserved; checksums are verified. Throws bad_input.
class NpzFile {
 public:
  explicit NpzFile(std::string path);

  /// Names of the arrays, without ".npy".
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] bool has(const std::string& name) const;
  /// Throws if no array has this name; the message lists the names.
  [[nodiscard]] NpyMatrix read(const std::string& name) const;

 private:
  struct Member {
    std::string name;
    unsigned method = 0, flags = 0;
    unsigned long crc = 0;
    std::uint64_t packed = 0, size = 0, offset = 0;
  };
  [[nodiscard]] std::string bytes_at(std::uint64_t offset, std::uint64_t count,
                                     const std::string& part) const;
  [[nodiscard]] std::string content(const Member& member) const;
  void read_directory();

  std::string path_;
  std::uint64_t size_ = 0;
  std::vector<Member> members_;
};

}  // namespace poise::data
