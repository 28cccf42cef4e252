#pragma once

#include <mpi.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {

/// CRC-32 (that of zlib, gzip and PNG) of the bytes of numbers or of a text, continuing from `start`.
[[nodiscard]] std::uint32_t crc32_of(std::span<const double> values, std::uint32_t start = 0);
[[nodiscard]] std::uint32_t crc32_of(std::string_view text, std::uint32_t start = 0);

/// Collective. CRC-32 of the sequence: piece 0 of rank 0, piece 0 of rank 1, …, piece 1 of rank 0, …, from
/// the CRC-32 of every piece. All ranks give the same number of pieces; those of one rank are of one length.
/// One piece a rank is a matrix in row blocks; one piece a row is a matrix in column blocks. In both cases
/// the result is the CRC-32 of the whole matrix, row-major, so it does not know the number of ranks.
[[nodiscard]] std::uint32_t combine_crc32(MPI_Comm comm, const std::vector<std::uint32_t>& pieces,
                                          Index entries_a_piece);

/// The content of a checkpoint in a canonical order, for its checksum: of every data set the shape and
/// CRC-32, of every attribute type and value.
class Manifest {
 public:
  void add_data_set(const std::string& name, const std::vector<Index>& dims, std::uint32_t crc);
  void add_attribute(const std::string& object, const std::string& name, const H5Value& value);
  [[nodiscard]] Index checksum() const;

 private:
  std::map<std::string, std::string> entries_;
};

}  // namespace poise
