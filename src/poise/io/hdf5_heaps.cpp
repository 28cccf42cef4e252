#include "poise/io/hdf5_heaps.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/io/checksum.hpp"

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

/// The parts of a file of `size` bytes between the entries of data sets, in their order.
std::vector<Extent> gaps_between(std::vector<Extent> entries, std::uint64_t size) {
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

/// The bytes of a file. Throws with `code` if the file cannot be read.
class Reader {
 public:
  Reader(std::string path, ExitCode code)
      : path_(std::move(path)), code_(code), descriptor_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) fail();
  }
  ~Reader() { ::close(descriptor_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  [[nodiscard]] std::uint64_t size() const {
    const off_t end = ::lseek(descriptor_, 0, SEEK_END);
    if (end < 0) fail();
    return static_cast<std::uint64_t>(end);
  }
  /// Fewer bytes if the file ends before.
  [[nodiscard]] std::string read(Extent extent) const {
    std::string bytes(extent.bytes, '\0');
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t count = ::pread(descriptor_, bytes.data() + done, bytes.size() - done,
                                    static_cast<off_t>(extent.begin + done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail();
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    bytes.resize(done);
    return bytes;
  }

 private:
  [[noreturn]] void fail() const {
    throw Error(code_, fmt::format("cannot read file '{}': {}", path_, std::strerror(errno)), false);
  }

  std::string path_;
  ExitCode code_;
  int descriptor_;
};

/// Appends offset, size and CRC-32 of every heap in these bytes of the file.
void append_heaps(std::vector<std::int64_t>& rows, const std::string& bytes, std::uint64_t begin) {
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
    rows.insert(rows.end(), {static_cast<std::int64_t>(begin + at), static_cast<std::int64_t>(size), crc});
    at += size;
  }
}

/// The rows of `heaps_attribute`. `entries`: of all data sets.
std::vector<std::int64_t> find_heaps(const std::string& path, const std::vector<Extent>& entries) {
  const Reader reader(path, ExitCode::failed);
  std::vector<std::int64_t> rows;
  for (const Extent& gap : gaps_between(entries, reader.size()))
    append_heaps(rows, reader.read(gap), gap.begin);
  return rows;
}

/// The rows of `heaps_attribute`; false if it is no table with three columns.
bool read_heaps(hid_t root, std::vector<std::int64_t>& rows) {
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

void H5File::seal_texts() {
  const std::vector<std::string> names = objects();
  std::vector<Extent> entries;
  together([&] {
    for (const std::string& name : names) {
      const H5Handle object = open_object(name);
      if (H5Iget_type(object.get()) == H5I_DATASET) append_entries(entries, object.get());
    }
  });
  std::vector<std::int64_t> rows;
  on_root(comm_, [&] { rows = find_heaps(path_, entries); });
  auto count = static_cast<int>(rows.size());
  check_mpi(MPI_Bcast(&count, 1, MPI_INT, 0, comm_));
  rows.resize(static_cast<std::size_t>(count));
  check_mpi(MPI_Bcast(rows.data(), count, MPI_INT64_T, 0, comm_));
  if (count == 0) return;
  together([&] {
    const std::array<hsize_t, 2> dims{rows.size() / 3, 3};
    const H5Handle space(H5Screate_simple(2, dims.data(), nullptr), H5Sclose);
    const hid_t id =
        H5Acreate2(file_.get(), heaps_attribute, H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT);
    const H5Handle attribute(checked(id, "cannot create the checksums of texts"), H5Aclose);
    checked(H5Awrite(attribute.get(), H5T_NATIVE_INT64, rows.data()), "cannot write the checksums of texts");
  });
}

bool H5File::has_sealed_texts() const {
  bool good = true;
  together([&] {
    if (checked(H5Aexists(file_.get(), heaps_attribute), "cannot look for checksums of texts") == 0) return;
    std::vector<std::int64_t> rows;
    good = read_heaps(file_.get(), rows);
    const Reader reader(path_, ExitCode::bad_input);
    const auto size = static_cast<std::int64_t>(reader.size());
    for (std::size_t k = 0; good && k < rows.size(); k += 3) {
      const std::int64_t begin = rows[k], bytes = rows[k + 1];
      good = begin >= 0 && bytes > 0 && begin <= size && bytes <= size - begin;
      if (!good) break;
      const Extent extent{static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(bytes)};
      good = crc32_of(std::string_view(reader.read(extent))) == rows[k + 2];
    }
  });
  return good;
}

}  // namespace io
}  // namespace poise
