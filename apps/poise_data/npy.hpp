#pragma once

#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise_data/byte_reader.hpp"

namespace poise::data {

/// The numbers of an NPY file as a matrix, row-major: one row for each index of the first dimension, the
/// other dimensions flattened. A one-dimensional array has one column.
struct NpyMatrix {
  std::string path;
  Index rows = 0;
  Index columns = 0;
  std::vector<double> values;      ///< rows x columns
  std::vector<std::string> texts;  ///< in the place of values for an array of texts
  bool whole = false;              ///< the type has whole numbers only
};

/// Reads an NPY file (versions 1 to 3, plain or .gz): bool, f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 of either byte
/// order, texts (S, U), C or Fortran order. Serial. Throws bad_input for a broken header, another type, an
/// empty array, more data than the file holds, or less. Integers beyond 2^53 are rounded.
[[nodiscard]] NpyMatrix read_npy(const std::string& path);
/// The same from bytes, of a member of an NPZ file for example.
[[nodiscard]] NpyMatrix read_npy(ByteReader& file);

}  // namespace poise::data
