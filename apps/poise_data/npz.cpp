#include "poise_data/npz.hpp"

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise::data {
namespace {

constexpr std::uint64_t deflate_limit = 1032;  // no deflate stream expands by more
constexpr std::uint64_t in_zip64 = 0xFFFFFFFF;

/// A little-endian number of `bytes` bytes at `place`.
std::uint64_t number_at(const std::string& text, std::size_t place, int bytes) {
  std::uint64_t value = 0;
  for (int k = bytes; k-- > 0;)
    value = value << 8U | static_cast<unsigned char>(text[place + static_cast<std::size_t>(k)]);
  return value;
}

/// Values that did not fit into 32 bits stand, in their order, in the extra field 1.
void read_zip64(const std::string& extra, std::initializer_list<std::uint64_t*> values) {
  for (std::size_t place = 0; place + 4 <= extra.size();) {
    const std::uint64_t id = number_at(extra, place, 2), length = number_at(extra, place + 2, 2);
    std::size_t next = place + 4;
    place = next + length;
    if (id != 1 || place > extra.size()) continue;
    for (std::uint64_t* value : values) {
      if (*value != in_zip64 || next + 8 > place) continue;
      *value = number_at(extra, next, 8);
      next += 8;
    }
  }
}

std::string inflated(const std::string& path, const std::string& packed, std::uint64_t size) {
  std::string bytes(size, '\0');
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw failure("zlib could not start");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  std::uint64_t in = packed.size(), out = size;
  constexpr std::uint64_t piece = 1U << 30U;
  int code = Z_OK;
  while (code == Z_OK) {
    const auto some_in = static_cast<uInt>(std::min(in, piece)),
               some_out = static_cast<uInt>(std::min(out, piece));
    stream.avail_in = some_in;
    stream.avail_out = some_out;
    code = inflate(&stream, Z_NO_FLUSH);
    in -= some_in - stream.avail_in;
    out -= some_out - stream.avail_out;
    if (code == Z_OK && some_in == stream.avail_in && some_out == stream.avail_out) break;
  }
  inflateEnd(&stream);
  if (code != Z_STREAM_END || out != 0)
    throw bad_input(path + ": its compressed data is damaged: fetch the file again");
  return bytes;
}

}  // namespace

NpzFile::NpzFile(std::string path) : path_(std::move(path)) {
  std::error_code code;
  const auto status = std::filesystem::status(path_, code);
  if (!std::filesystem::exists(status)) throw bad_input(path_ + ": no such file");
  if (std::filesystem::is_directory(status)) throw bad_input(path_ + ": is a directory, not a file");
  size_ = std::filesystem::file_size(path_, code);
  if (code) throw bad_input(path_ + ": cannot be read: " + code.message());
  read_directory();
}

std::string NpzFile::bytes_at(std::uint64_t offset, std::uint64_t count, const std::string& part) const {
  if (offset > size_ || count > size_ - offset)
    throw bad_input(path_ + ": its " + part + " lies beyond its end: it is truncated or damaged");
  std::string bytes(count, '\0');
  std::ifstream file(path_, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(bytes.data(), static_cast<std::streamsize>(count));
  if (!file) throw bad_input(path_ + ": cannot be read");
  return bytes;
}

void NpzFile::read_directory() {
  constexpr std::uint64_t end_size = 22, longest_comment = 65535;
  const std::uint64_t begin = size_ - std::min(size_, end_size + longest_comment);
  const std::string tail = bytes_at(begin, size_ - begin, "end");
  const auto end = tail.rfind("PK\x05\x06");
  if (end == std::string::npos || end + end_size > tail.size())
    throw bad_input(path_ + ": is not an NPZ file, which is a ZIP file, or it is truncated");
  std::uint64_t count = number_at(tail, end + 10, 2), length = number_at(tail, end + 12, 4),
                offset = number_at(tail, end + 16, 4);
  if ((count == 0xFFFF || offset == in_zip64) && end >= 20 && tail.compare(end - 20, 4, "PK\x06\x07") == 0) {
    const std::string record = bytes_at(number_at(tail, end - 12, 8), 56, "directory");
    count = number_at(record, 32, 8);
    length = number_at(record, 40, 8);
    offset = number_at(record, 48, 8);
  }
  const std::string directory = bytes_at(offset, length, "directory");
  for (std::size_t place = 0; members_.size() < count && place + 46 <= directory.size();) {
    Member member;
    member.flags = static_cast<unsigned>(number_at(directory, place + 8, 2));
    member.method = static_cast<unsigned>(number_at(directory, place + 10, 2));
    member.crc = static_cast<unsigned long>(number_at(directory, place + 16, 4));
    member.packed = number_at(directory, place + 20, 4);
    member.size = number_at(directory, place + 24, 4);
    const std::uint64_t name = number_at(directory, place + 28, 2),
                        extra = number_at(directory, place + 30, 2),
                        comment = number_at(directory, place + 32, 2);
    member.offset = number_at(directory, place + 42, 4);
    if (place + 46 + name + extra > directory.size()) break;
    member.name = directory.substr(place + 46, name);
    read_zip64(directory.substr(place + 46 + name, extra), {&member.size, &member.packed, &member.offset});
    place += 46 + name + extra + comment;
    if (!member.name.ends_with(".npy")) continue;
    member.name.resize(member.name.size() - 4);
    members_.push_back(std::move(member));
  }
  if (members_.empty()) throw bad_input(path_ + ": holds no array (*.npy)");
}

std::string NpzFile::content(const Member& member) const {
  const std::string what = path_ + ": the array '" + member.name + "' ";
  if ((member.flags & 1U) != 0) throw bad_input(what + "is encrypted");
  if (member.method != 0 && member.method != 8)
    throw bad_input(what + "is packed by a method other than deflate: save it with numpy.savez_compressed");
  const std::string local = bytes_at(member.offset, 30, "directory");
  if (local.compare(0, 4, "PK\x03\x04") != 0) throw bad_input(what + "is damaged: fetch the file again");
  const std::uint64_t data = member.offset + 30 + number_at(local, 26, 2) + number_at(local, 28, 2);
  const std::string packed = bytes_at(data, member.packed, "array '" + member.name + "'");
  if (member.size > (member.method == 0 ? member.packed : member.packed * deflate_limit + deflate_limit))
    throw bad_input(what + "claims more than the file can hold: it is damaged");
  std::string bytes = member.method == 0 ? packed : inflated(path_, packed, member.size);
  unsigned long crc = crc32(0, nullptr, 0);
  crc = crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (bytes.size() != member.size || crc != member.crc)
    throw bad_input(what + "is damaged, its checksum is another one: fetch the file again");
  return bytes;
}

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (const Member& member : members_) names.push_back(member.name);
  return names;
}

bool NpzFile::has(const std::string& name) const {
  return std::any_of(members_.begin(), members_.end(), [&](const Member& m) { return m.name == name; });
}

NpyMatrix NpzFile::read(const std::string& name) const {
  for (const Member& member : members_) {
    if (member.name != name) continue;
    ByteReader reader(path_ + ": " + name, content(member));
    return read_npy(reader);
  }
  std::string all;
  for (const Member& member : members_) all += (all.empty() ? "" : ", ") + member.name;
  throw bad_input(path_ + ": has no array '" + name + "'; it has " + all);
}

}  // namespace poise::data
