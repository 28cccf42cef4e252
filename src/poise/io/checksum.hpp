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
inline namespace io {

/// CRC-32 (as in zlib, gzip and PNG) of the bytes of numbers or of a text, continuing from `start`.
[[nodiscard]] std::uint32_t crc32_of(std::span<const double> values, std::uint32_t start = 0);
[[nodiscard]] std::uint32_t crc32_of(std::string_view text, std::uint32_t start = 0);

/// Collective. Computes, from the CRC-32 of every piece, the CRC-32 of the sequence: piece 0 of rank 0, piece
/// 0 of rank 1, …, piece 1 of rank 0, …. All ranks pass the same number of pieces; the pieces of one rank
/// have the same length. With one piece per rank the sequence is a matrix in row blocks; with one piece per
/// row it is a matrix in column blocks. In both cases the result is the CRC-32 of the whole matrix,
/// row-major, so it does not depend on the number of ranks.
[[nodiscard]] std::uint32_t combine_crc32(MPI_Comm comm, const std::vector<std::uint32_t>& pieces,
                                          Index entries_a_piece);

/// The content of a checkpoint in a canonical order, for its checksum: shape and CRC-32 of every data set,
/// type and value of every attribute.
class Manifest {
 public:
  void add_data_set(const std::string& name, const std::vector<Index>& dims, std::uint32_t crc);
  void add_attribute(const std::string& object, const std::string& name, const H5Value& value);
  [[nodiscard]] Index checksum() const;

 private:
  std::map<std::string, std::string> entries_;
};

}  // namespace io
}  // namespace poise
