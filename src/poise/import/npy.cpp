#include "poise/import/npy.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise::data {
namespace {

struct Header {
  std::string type;  ///< for example "<f8"
  bool fortran = false;
  std::vector<Index> shape;
  std::uint64_t bytes = 0;  ///< of the header itself
};

Error broken(const std::string& path, const std::string& what) {
  return bad_input(path + ": " + what + ": write it again with numpy.save");
}

/// The text behind `'key':` in the header, a Python dictionary.
std::string value_of(const std::string& path, const std::string& text, const std::string& key) {
  const auto found = text.find("'" + key + "'");
  const auto colon = text.find(':', found);
  if (found == std::string::npos || colon == std::string::npos)
    throw broken(path, "its NPY header lacks '" + key + "'");
  const auto begin = text.find_first_not_of(' ', colon + 1);
  return begin == std::string::npos ? "" : text.substr(begin);
}

std::vector<Index> parse_shape(const std::string& path, const std::string& text) {
  std::vector<Index> shape;
  const auto close = text.find(')');
  if (text.empty() || text.front() != '(' || close == std::string::npos)
    throw broken(path, "its NPY header has no readable shape");
  for (const char *next = text.data() + 1, *end = text.data() + close; next < end;) {
    if (*next == ' ' || *next == ',') {
      ++next;
      continue;
    }
    Index extent = 0;
    const auto [stop, code] = std::from_chars(next, end, extent);
    if (code != std::errc{} || extent < 0)
      throw broken(path, "its NPY header has the unreadable shape " + quoted(text.substr(0, close + 1)));
    shape.push_back(extent);
    next = stop;
  }
  return shape;
}

std::string read_header_text(ByteReader& file, std::uint64_t& end) {
  std::array<unsigned char, 8> magic{};
  file.read_exact(magic.data(), magic.size(), "NPY header");
  if (std::memcmp(magic.data(), "\x93NUMPY", 6) != 0 || magic[6] < 1 || magic[6] > 3)
    throw bad_input(file.path() +
                    ": is not an NPY file of version 1 to 3 (an .npz holds several: import it with -npz)");
  std::array<unsigned char, 4> bytes{};
  file.read_exact(bytes.data(), magic[6] == 1 ? 2 : 4, "NPY header");
  std::uint64_t length = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) length = (length << 8U) | bytes[i];
  file.expect_room(length, 1, fmt::format("a header of {} bytes", length));
  std::string text(length, '\0');
  file.read_exact(text.data(), text.size(), "NPY header");
  end = magic.size() + (magic[6] == 1 ? 2 : 4) + length;
  return text;
}

Header read_header(ByteReader& file) {
  Header header;
  const std::string text = read_header_text(file, header.bytes);
  const std::string type = value_of(file.path(), text, "descr");
  const auto quote = type.find('\'', 1);
  if (type.empty() || type.front() != '\'' || quote == std::string::npos)
    throw bad_input(file.path() + ": is an array of records: save one plain array a file");
  header.type = type.substr(1, quote - 1);
  header.fortran = value_of(file.path(), text, "fortran_order").starts_with("True");
  header.shape = parse_shape(file.path(), value_of(file.path(), text, "shape"));
  return header;
}

template <class Number>
double decode(const unsigned char* bytes, bool swap) {
  std::array<unsigned char, sizeof(Number)> ordered{};
  std::copy_n(bytes, sizeof(Number), ordered.begin());
  if (swap) std::reverse(ordered.begin(), ordered.end());
  return static_cast<double>(std::bit_cast<Number>(ordered));
}

double decode_bool(const unsigned char* bytes, bool) {
  return *bytes == 0 ? 0.0 : 1.0;
}

/// IEEE 754 binary16.
double decode_half(const unsigned char* bytes, bool swap) {
  const unsigned bits = swap ? static_cast<unsigned>(bytes[0]) << 8U | bytes[1]
                             : static_cast<unsigned>(bytes[1]) << 8U | bytes[0];
  const int exponent = static_cast<int>(bits >> 10U & 0x1FU);
  const double fraction = static_cast<double>(bits & 0x3FFU) / 1024.0;
  double value = 0.0;
  if (exponent == 31)
    value = fraction == 0.0 ? HUGE_VAL : std::nan("");
  else
    value = exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1.0 + fraction, exponent - 15);
  return (bits & 0x8000U) != 0 ? -value : value;
}

using Decoder = double (*)(const unsigned char*, bool);

struct Format {
  std::size_t size = 0;
  Decoder decoder = nullptr;
  bool swap = false;
  bool whole = false;
};

Format find_format(const std::string& path, const std::string& type) {
  static const std::array<std::pair<const char*, Format>, 12> known{{{"b1", {1, decode_bool}},
                                                                     {"f2", {2, decode_half}},
                                                                     {"f4", {4, decode<float>}},
                                                                     {"f8", {8, decode<double>}},
                                                                     {"i1", {1, decode<std::int8_t>}},
                                                                     {"i2", {2, decode<std::int16_t>}},
                                                                     {"i4", {4, decode<std::int32_t>}},
                                                                     {"i8", {8, decode<std::int64_t>}},
                                                                     {"u1", {1, decode<std::uint8_t>}},
                                                                     {"u2", {2, decode<std::uint16_t>}},
                                                                     {"u4", {4, decode<std::uint32_t>}},
                                                                     {"u8", {8, decode<std::uint64_t>}}}};
  const char order = type.empty() ? '?' : type.front();
  for (const auto& [name, format] : known) {
    if (std::string("<>|=").find(order) == std::string::npos || type.substr(1) != name) continue;
    const bool big = order == '>';
    const bool whole = name[0] != 'f';
    return {format.size, format.decoder, big == (std::endian::native == std::endian::little), whole};
  }
  throw bad_input(path + ": holds values of type " + quoted(type) +
                  "; it must be bool, f2, f4, f8, i1 to i8, u1 to u8, S or U: save array.astype('float64')");
}

/// Throws unless the data of this shape fits into the file.
void require_room(const ByteReader& file, const Header& header, std::size_t value_size) {
  if (header.shape.empty()) throw bad_input(file.path() + ": is a single number, not an array");
  if (header.fortran && header.shape.size() > 2)
    throw bad_input(file.path() + ": has Fortran order and more than two dimensions: save " +
                    "numpy.ascontiguousarray(array)");
  std::string promise;
  std::uint64_t bytes = value_size;
  for (const Index extent : header.shape) {
    promise += fmt::format("{}{}", promise.empty() ? "" : " x ", extent);
    if (extent == 0) throw bad_input(file.path() + ": is empty: its shape is " + promise);
    file.expect_room(static_cast<std::uint64_t>(extent), bytes, promise + " values");
    bytes *= static_cast<std::uint64_t>(extent);
  }
}

/// Bytes of a text as UTF-8: S has one byte a character, U four.
std::string decode_text(const unsigned char* bytes, std::size_t size, bool wide, bool big) {
  std::string text;
  for (std::size_t k = 0; k + (wide ? 4 : 1) <= size; k += wide ? 4 : 1) {
    unsigned long c = bytes[k];
    if (wide) {
      c = 0;
      for (std::size_t b = 0; b < 4; ++b)
        c |= static_cast<unsigned long>(bytes[k + (big ? 3 - b : b)]) << 8 * b;
    }
    if (c == 0) break;
    append_utf8(text, c);
  }
  return text;
}

/// The number of characters of the type '<U5' or '|S5'; nothing if the type is different.
std::optional<std::size_t> text_length(const ByteReader& file, const std::string& type) {
  if (type.size() < 3 || (type[1] != 'U' && type[1] != 'S')) return std::nullopt;
  std::size_t length = 0;
  const auto [stop, code] = std::from_chars(type.data() + 2, type.data() + type.size(), length);
  constexpr std::size_t longest = 4096;
  if (code != std::errc{} || stop != type.data() + type.size() || length > longest)
    throw broken(file.path(), "its texts have the unreadable type " + quoted(type));
  return length;
}

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

NpyReader::NpyReader(ByteReader file) : file_(std::move(file)) {
  const Header header = read_header(file_);
  fortran_ = header.fortran;
  begin_ = header.bytes;
  if (const auto length = text_length(file_, header.type)) {
    wide_ = header.type[1] == 'U';
    big_ = header.type[0] == '>';
    value_size_ = *length * (wide_ ? 4 : 1);
    require_room(file_, header, std::max<std::size_t>(1, value_size_));
  } else {
    const Format format = find_format(file_.path(), header.type);
    value_size_ = format.size;
    decoder_ = format.decoder;
    swap_ = format.swap;
    whole_ = format.whole;
    require_room(file_, header, value_size_);
  }
  rows_ = header.shape.front();
  for (std::size_t i = 1; i < header.shape.size(); ++i) columns_ *= header.shape[i];
  if (holds_texts() && columns_ != 1) throw bad_input(path() + ": holds texts in more than one column");
}

NpyMatrix NpyReader::read(Range rows) {
  NpyMatrix matrix{path(), rows.size(), columns_, {}, {}, whole_};
  const auto columns = static_cast<std::uint64_t>(columns_);
  // One column has the same order in C and in Fortran.
  const bool by_columns = fortran_ && columns_ > 1;
  if (!by_columns) file_.seek(begin_ + static_cast<std::uint64_t>(rows.begin) * columns * value_size_);
  if (holds_texts())
    read_texts(matrix);
  else if (by_columns)
    read_columns(rows, matrix);
  else
    read_lines(matrix);
  return matrix;
}

void NpyReader::read_texts(NpyMatrix& matrix) {
  std::vector<unsigned char> bytes(std::max<std::size_t>(1, value_size_));
  for (Index i = 0; i < matrix.rows; ++i) {
    if (value_size_ > 0) file_.read_exact(bytes.data(), value_size_, "data");
    matrix.texts.push_back(decode_text(bytes.data(), value_size_, wide_, big_));
  }
}

void NpyReader::read_lines(NpyMatrix& matrix) {
  const auto length = static_cast<std::size_t>(columns_);
  std::vector<unsigned char> line(length * value_size_);
  matrix.values.reserve(static_cast<std::size_t>(matrix.rows) * length);
  for (Index i = 0; i < matrix.rows; ++i) {
    file_.read_exact(line.data(), line.size(), "data");
    for (std::size_t k = 0; k < length; ++k) matrix.values.push_back(decoder_(&line[k * value_size_], swap_));
  }
}

void NpyReader::read_columns(Range rows, NpyMatrix& matrix) {
  const auto length = static_cast<std::size_t>(matrix.rows), columns = static_cast<std::size_t>(columns_);
  std::vector<unsigned char> line(length * value_size_);
  matrix.values.resize(length * columns);
  for (std::size_t c = 0; c < columns; ++c) {
    file_.seek(begin_ + (c * static_cast<std::uint64_t>(rows_) + static_cast<std::uint64_t>(rows.begin)) *
                            value_size_);
    file_.read_exact(line.data(), line.size(), "data");
    for (std::size_t i = 0; i < length; ++i)
      matrix.values[i * columns + c] = decoder_(&line[i * value_size_], swap_);
  }
}

NpyMatrix read_npy(const std::string& path) {
  return read_npy(ByteReader(path));
}

NpyMatrix read_npy(ByteReader file) {
  NpyReader reader(std::move(file));
  NpyMatrix matrix = reader.read({0, reader.rows()});
  reader.expect_end();
  return matrix;
}

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
    throw bad_input(what + "is packed by a method that is not deflate: save it with numpy.savez_compressed");
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
    throw bad_input(what + "is damaged, its checksum is different: fetch the file again");
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
    return read_npy(ByteReader(path_ + ": " + name, content(member)));
  }
  std::string all;
  for (const Member& member : members_) all += (all.empty() ? "" : ", ") + member.name;
  throw bad_input(path_ + ": has no array '" + name + "'; it has " + all);
}

}  // namespace poise::data
