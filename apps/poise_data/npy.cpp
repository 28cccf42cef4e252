#include "poise_data/npy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include "poise/base/error.hpp"
#include "poise_data/byte_reader.hpp"

namespace poise {
namespace {

struct Header {
  std::string type;  ///< for example "<f8"
  bool fortran = false;
  std::vector<Index> shape;
};

Error broken(const std::string& path, const std::string& what) {
  return bad_input(path + ": " + what + ": write it again with numpy.save");
}

/// What follows `'key':` in the header, a Python dictionary as text.
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

std::string read_header_text(ByteReader& file) {
  std::array<unsigned char, 8> magic{};
  file.read_exact(magic.data(), magic.size(), "NPY header");
  if (std::memcmp(magic.data(), "\x93NUMPY", 6) != 0 || magic[6] < 1 || magic[6] > 3)
    throw bad_input(
        file.path() +
        ": is not an NPY file of version 1 to 3 (an .npz holds several: save each with numpy.save)");
  std::array<unsigned char, 4> bytes{};
  file.read_exact(bytes.data(), magic[6] == 1 ? 2 : 4, "NPY header");
  std::uint64_t length = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) length = (length << 8U) | bytes[i];
  file.expect_room(length, 1, "a header of " + std::to_string(length) + " bytes");
  std::string text(length, '\0');
  file.read_exact(text.data(), text.size(), "NPY header");
  return text;
}

Header read_header(ByteReader& file) {
  const std::string text = read_header_text(file);
  Header header;
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

using Decoder = double (*)(const unsigned char*, bool);

struct Format {
  std::size_t size = 0;
  Decoder decoder = nullptr;
  bool swap = false;
};

Format find_format(const std::string& path, const std::string& type) {
  static const std::array<std::pair<const char*, Format>, 10> known{{{"f4", {4, decode<float>}},
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
    return {format.size, format.decoder, big == (std::endian::native == std::endian::little)};
  }
  throw bad_input(path + ": holds values of type " + quoted(type) +
                  "; it must be f4, f8, i1 to i8 or u1 to u8: save array.astype('float64')");
}

/// Rows and columns of the array; throws unless its data fits into the file.
NpyMatrix shaped(const ByteReader& file, const Header& header, std::size_t value_size) {
  NpyMatrix matrix{file.path(), 0, 1, {}};
  if (header.shape.empty()) throw bad_input(file.path() + ": is a single number, not an array");
  if (header.fortran && header.shape.size() > 2)
    throw bad_input(file.path() + ": has Fortran order and more than two dimensions: save " +
                    "numpy.ascontiguousarray(array)");
  std::string promise;
  std::uint64_t bytes = value_size;
  for (const Index extent : header.shape) {
    promise += (promise.empty() ? "" : " x ") + std::to_string(extent);
    if (extent == 0) throw bad_input(file.path() + ": is empty: its shape is " + promise);
    file.expect_room(static_cast<std::uint64_t>(extent), bytes, promise + " values");
    bytes *= static_cast<std::uint64_t>(extent);
  }
  matrix.rows = header.shape.front();
  for (std::size_t i = 1; i < header.shape.size(); ++i) matrix.columns *= header.shape[i];
  return matrix;
}

}  // namespace

NpyMatrix read_npy(const std::string& path) {
  ByteReader file(path);
  const Header header = read_header(file);
  const Format format = find_format(path, header.type);
  NpyMatrix matrix = shaped(file, header, format.size);
  const auto rows = static_cast<std::size_t>(matrix.rows);
  const auto columns = static_cast<std::size_t>(matrix.columns);
  matrix.values.resize(rows * columns);
  // The file is read one line of its own order at a time: a row in C order, a column in Fortran order.
  const std::size_t lines = header.fortran ? columns : rows;
  const std::size_t length = header.fortran ? rows : columns;
  std::vector<unsigned char> line(length * format.size);
  for (std::size_t i = 0; i < lines; ++i) {
    file.read_exact(line.data(), line.size(), "data");
    for (std::size_t k = 0; k < length; ++k) {
      const std::size_t place = header.fortran ? k * columns + i : i * columns + k;
      matrix.values[place] = format.decoder(&line[k * format.size], format.swap);
    }
  }
  file.expect_end("last value");
  return matrix;
}

}  // namespace poise
