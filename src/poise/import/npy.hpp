#pragma once

#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/import/reading.hpp"

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

/// Reads an NPY file (versions 1 to 3, plain or .gz) by rows: bool, f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 of
/// either byte order, texts (S, U), C or Fortran order. Serial. Throws bad_input for a broken header, another
/// type, an empty array, more data than the file holds, or less. Integers beyond 2^53 are rounded.
class NpyReader {
 public:
  explicit NpyReader(ByteReader file);

  [[nodiscard]] const std::string& path() const { return file_.path(); }
  [[nodiscard]] Index rows() const { return rows_; }
  [[nodiscard]] Index columns() const { return columns_; }
  [[nodiscard]] bool holds_texts() const { return decoder_ == nullptr; }
  /// These rows, as a matrix of their own. Rows that follow each other are read fastest.
  [[nodiscard]] NpyMatrix read(Range rows);
  /// Throws if bytes follow the last value. Call this after the last row has been read.
  void expect_end() { file_.expect_end("last value"); }

 private:
  using Decoder = double (*)(const unsigned char*, bool);
  void read_texts(NpyMatrix& matrix);
  void read_lines(NpyMatrix& matrix);
  void read_columns(Range rows, NpyMatrix& matrix);

  ByteReader file_;
  Index rows_ = 0, columns_ = 1;
  std::uint64_t begin_ = 0;     // of the data, in bytes
  std::size_t value_size_ = 0;  // bytes
  Decoder decoder_ = nullptr;   // null: texts
  bool swap_ = false, whole_ = false, fortran_ = false;
  bool wide_ = false, big_ = false;  // of texts: four bytes a character, and their order
};

/// The whole matrix.
[[nodiscard]] NpyMatrix read_npy(const std::string& path);
/// From bytes, such as a member of an NPZ file.
[[nodiscard]] NpyMatrix read_npy(ByteReader file);

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
