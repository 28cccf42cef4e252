#include "poise/io/hdf5_heaps.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <string_view>
#include <vector>

#include "poise/base/error.hpp"
#include "poise/io/checksum.hpp"
#include "poise/io/hdf5_untrusted.hpp"

namespace poise {
inline namespace io {
namespace {

struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t bytes = 0;
};

/// A heap begins with this signature, its version, three zero bytes, and its size in bytes as 64-bit integer.
constexpr std::string_view heap_signature{"GCOL\1\0\0\0", 8};
constexpr std::uint64_t smallest_heap = 4096;
static_assert(std::endian::native == std::endian::little);

/// Where the entries of a data set lie in the file.
void append_entries(std::vector<Extent>& extents, hid_t data_set) {
  const H5Handle creation(H5Dget_create_plist(data_set), H5Pclose);
  if (H5Pget_layout(creation.get()) != H5D_CHUNKED) {
    const haddr_t begin = H5Dget_offset(data_set);
    if (begin != HADDR_UNDEF) extents.push_back({begin, H5Dget_storage_size(data_set)});
    return;
  }
  const H5Handle space(H5Dget_space(data_set), H5Sclose);
  hsize_t chunks = 0;
  H5Dget_num_chunks(data_set, space.get(), &chunks);
  for (hsize_t k = 0; k < chunks; ++k) {
    haddr_t begin = HADDR_UNDEF;
    hsize_t bytes = 0;
    if (H5Dget_chunk_info(data_set, space.get(), k, nullptr, nullptr, &begin, &bytes) >= 0)
      extents.push_back({begin, bytes});
  }
}

/// The parts of a file of `size` bytes that hold no entries of data sets, in their order.
std::vector<Extent> gaps_between_entries(hid_t file, std::uint64_t size) {
  std::vector<Extent> entries;
  for (const std::string& name : walk_objects(file)) {
    const H5Handle object(H5Oopen(file, name.c_str(), H5P_DEFAULT), H5Oclose);
    if (object && H5Iget_type(object.get()) == H5I_DATASET) append_entries(entries, object.get());
  }
  std::sort(entries.begin(), entries.end(), [](auto a, auto b) { return a.begin < b.begin; });
  entries.push_back({size, 0});
  std::vector<Extent> gaps;
  std::uint64_t end = 0;
  for (const Extent& entry : entries) {
    if (entry.begin > end) gaps.push_back({end, entry.begin - end});
    end = std::max(end, entry.begin + entry.bytes);
  }
  return gaps;
}

std::string bytes_at(std::ifstream& stream, Extent extent) {
  std::string bytes(extent.bytes, '\0');
  stream.seekg(static_cast<std::streamoff>(extent.begin));
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return stream ? bytes : std::string();
}

/// Appends offset, size and CRC-32 of every heap in the part of the file.
void append_heaps(std::vector<std::int64_t>& rows, std::ifstream& stream, Extent part) {
  const std::string bytes = bytes_at(stream, part);
  std::size_t at = 0;
  while ((at = bytes.find(heap_signature, at)) != std::string::npos) {
    std::uint64_t size = 0;
    if (at + smallest_heap <= bytes.size())
      std::memcpy(&size, bytes.data() + at + heap_signature.size(), sizeof size);
    if (size < smallest_heap || size > bytes.size() - at) {  // not a heap, but bytes that look like one
      ++at;
      continue;
    }
    const std::uint32_t crc = crc32_of(std::string_view(bytes).substr(at, size));
    rows.insert(rows.end(),
                {static_cast<std::int64_t>(part.begin + at), static_cast<std::int64_t>(size), crc});
    at += size;
  }
}

/// The rows of `heaps_attribute` for this file.
std::vector<std::int64_t> find_heaps(hid_t file, const std::string& path) {
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  const auto size = static_cast<std::uint64_t>(stream.tellg());
  std::vector<std::int64_t> rows;
  for (const Extent& gap : gaps_between_entries(file, size)) append_heaps(rows, stream, gap);
  if (!stream) throw failure("cannot read file '" + path + "' to compute the checksums of its texts");
  return rows;
}

/// The rows of `heaps_attribute`; false if it is no table with three columns.
bool read_rows(hid_t root, std::vector<std::int64_t>& rows) {
  constexpr hssize_t most = 3 << 16;
  const H5Handle attribute(H5Aopen(root, heaps_attribute, H5P_DEFAULT), H5Aclose);
  const H5Handle space(H5Aget_space(attribute.get()), H5Sclose);
  const H5Handle type(H5Aget_type(attribute.get()), H5Tclose);
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (count < 0 || count > most || count % 3 != 0 || H5Tget_class(type.get()) != H5T_INTEGER) return false;
  rows.resize(static_cast<std::size_t>(count));
  return count == 0 || H5Aread(attribute.get(), H5T_NATIVE_INT64, rows.data()) >= 0;
}

}  // namespace

void seal_text_heaps(std::int64_t file, const std::string& path) {
  const std::vector<std::int64_t> rows = find_heaps(file, path);
  if (rows.empty()) return;
  const std::array<hsize_t, 2> dims{rows.size() / 3, 3};
  const H5Handle space(H5Screate_simple(2, dims.data(), nullptr), H5Sclose);
  const H5Handle attribute(
      H5Acreate2(file, heaps_attribute, H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (H5Awrite(attribute.get(), H5T_NATIVE_INT64, rows.data()) < 0 || H5Fflush(file, H5F_SCOPE_GLOBAL) < 0)
    throw failure("cannot write the checksums of the texts of file '" + path + "'");
}

void require_sealed_text_heaps(std::int64_t file, const std::string& path) {
  if (H5Aexists(file, heaps_attribute) <= 0) return;
  std::vector<std::int64_t> rows;
  bool good = read_rows(file, rows);
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  const std::int64_t size = stream.tellg();
  for (std::size_t k = 0; good && k < rows.size(); k += 3) {
    const std::int64_t begin = rows[k], bytes = rows[k + 1];
    good = begin >= 0 && bytes > 0 && begin <= size && bytes <= size - begin;
    if (!good) break;
    const std::string heap =
        bytes_at(stream, {static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(bytes)});
    good = crc32_of(std::string_view(heap)) == rows[k + 2];
  }
  if (!good)
    throw bad_input(fmt::format(
        "the texts of file '{}' do not have their checksum: the file is damaged; remove it, or make it again "
        "(if you changed its attributes yourself, delete the attribute '{}' of its root group)",
        path, heaps_attribute));
}

}  // namespace io
}  // namespace poise
