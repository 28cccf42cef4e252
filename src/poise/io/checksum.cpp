#include "poise/io/checksum.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <bit>

#include "poise/base/check.hpp"

namespace poise {
inline namespace io {

std::uint32_t crc32_of(std::span<const double> values, std::uint32_t start) {
  return static_cast<std::uint32_t>(
      crc32_z(start, reinterpret_cast<const Bytef*>(values.data()), values.size_bytes()));
}

std::uint32_t crc32_of(std::string_view text, std::uint32_t start) {
  return static_cast<std::uint32_t>(crc32_z(start, reinterpret_cast<const Bytef*>(text.data()), text.size()));
}

std::uint32_t combine_crc32(MPI_Comm comm, const std::vector<std::uint32_t>& pieces, Index entries_a_piece) {
  int rank = 0;
  int size = 1;
  check_mpi(MPI_Comm_rank(comm, &rank));
  check_mpi(MPI_Comm_size(comm, &size));
  const auto ranks = static_cast<std::size_t>(rank == 0 ? size : 0);
  const std::size_t count = pieces.size();
  std::vector<Index> entries(ranks);
  std::vector<std::uint32_t> all(ranks * count);
  check_mpi(MPI_Gather(&entries_a_piece, 1, MPI_INT64_T, entries.data(), 1, MPI_INT64_T, 0, comm));
  check_mpi(MPI_Gather(pieces.data(), static_cast<int>(count), MPI_UINT32_T, all.data(),
                       static_cast<int>(count), MPI_UINT32_T, 0, comm));
  // The effect of appending that many bytes on a CRC. It is costly, so it is computed once per rank.
  std::vector<uLong> append;
  append.reserve(ranks);
  for (const Index n : entries)
    append.push_back(crc32_combine_gen(static_cast<z_off_t>(n * static_cast<Index>(sizeof(double)))));
  uLong crc = 0;
  for (std::size_t piece = 0; piece < count; ++piece)
    for (std::size_t r = 0; r < ranks; ++r) crc = crc32_combine_op(crc, all[r * count + piece], append[r]);
  auto result = static_cast<std::uint32_t>(crc);
  check_mpi(MPI_Bcast(&result, 1, MPI_UINT32_T, 0, comm));
  return result;
}

void Manifest::add_data_set(const std::string& name, const std::vector<Index>& dims, std::uint32_t crc) {
  std::string text = "data";
  for (const Index d : dims) text += fmt::format(" {}", d);
  entries_[name] = fmt::format("{} crc32 {}", text, crc);
}

void Manifest::add_attribute(const std::string& object, const std::string& name, const H5Value& value) {
  std::string text;
  if (const auto* real = std::get_if<double>(&value))
    text = fmt::format("real {}", std::bit_cast<std::uint64_t>(*real));  // the bits distinguish NaN and -0
  else if (const auto* integer = std::get_if<Index>(&value))
    text = fmt::format("integer {}", *integer);
  else if (const auto* flag = std::get_if<bool>(&value))
    text = *flag ? "flag 1" : "flag 0";
  else
    text = "text " + std::get<std::string>(value);
  entries_[object + "@" + name] = text;
}

Index Manifest::checksum() const {
  std::uint32_t crc = 0;
  for (const auto& [name, text] : entries_) crc = crc32_of(name + "\n" + text + "\n", crc);
  return crc;
}

}  // namespace io
}  // namespace poise
