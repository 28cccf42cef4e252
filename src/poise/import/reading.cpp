#include "poise/import/reading.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "poise/base/error.hpp"

namespace poise::data {

void ByteReader::Close::operator()(gzFile_s* file) const {
  gzclose_r(file);
}

ByteReader::ByteReader(std::string path) : path_(std::move(path)) {
  std::error_code code;
  const auto status = std::filesystem::status(path_, code);
  if (!std::filesystem::exists(status)) throw bad_input(path_ + ": no such file");
  if (std::filesystem::is_directory(status)) throw bad_input(path_ + ": is a directory, not a file");
  file_.reset(gzopen(path_.c_str(), "rb"));
  if (!file_) throw bad_input(path_ + ": cannot be opened: " + std::strerror(errno));
  gzbuffer(file_.get(), 1U << 18U);
  const auto size = std::filesystem::file_size(path_, code);
  constexpr std::uint64_t deflate_limit = 1032;  // no deflate stream expands by more
  capacity_ = code ? UINT64_MAX : gzdirect(file_.get()) == 1 ? size : size * deflate_limit;
}

ByteReader::ByteReader(std::string path, std::string bytes)
    : path_(std::move(path)), bytes_(std::move(bytes)), capacity_(bytes_.size()) {}

void ByteReader::check_stream() const {
  int code = Z_OK;
  const char* text = gzerror(file_.get(), &code);
  if (code == Z_OK || code == Z_STREAM_END) return;
  if (code == Z_BUF_ERROR)
    throw bad_input(path_ + ": the compressed data ends too early: the file is truncated, fetch it again");
  throw bad_input(path_ + ": cannot be read: " + (code == Z_ERRNO ? std::strerror(errno) : text) +
                  ": fetch the file again");
}

std::size_t ByteReader::read(void* to, std::size_t size) {
  auto* next = static_cast<char*>(to);
  if (!file_) {
    const std::size_t count = std::min(size, bytes_.size() - place_);
    std::memcpy(next, bytes_.data() + place_, count);
    place_ += count;
    return count;
  }
  std::size_t done = 0;
  while (done < size) {
    const auto piece = static_cast<unsigned>(std::min<std::size_t>(size - done, 1U << 30U));
    const int got = gzread(file_.get(), next + done, piece);
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  if (done < size) check_stream();
  return done;
}

void ByteReader::read_exact(void* to, std::size_t size, const std::string& part) {
  const std::size_t got = read(to, size);
  if (got < size)
    throw bad_input(
        fmt::format("{}: ends in its {} ({} of {} bytes): the file is empty, truncated or of another format",
                    path_, part, got, size));
}

int ByteReader::get() {
  if (!file_) return place_ < bytes_.size() ? static_cast<unsigned char>(bytes_[place_++]) : -1;
  const int c = gzgetc(file_.get());
  if (c == -1) check_stream();
  return c;
}

void ByteReader::seek(std::uint64_t place) {
  if (!file_) {
    place_ = std::min<std::uint64_t>(place, bytes_.size());
    return;
  }
  if (gztell(file_.get()) == static_cast<z_off_t>(place)) return;
  if (gzseek(file_.get(), static_cast<z_off_t>(place), SEEK_SET) >= 0) return;
  check_stream();
  throw bad_input(path_ + ": cannot be read at byte " + std::to_string(place));
}

void ByteReader::expect_end(const std::string& last) {
  char more = 0;
  if (read(&more, 1) != 0)
    throw bad_input(path_ + ": bytes follow its " + last +
                    ": the header does not fit the file, which is damaged or of another format");
}

void ByteReader::expect_room(std::uint64_t items, std::uint64_t item_size, const std::string& promise) const {
  if (item_size != 0 && items > capacity_ / item_size)
    throw bad_input(path_ + ": its header promises " + promise +
                    ", which is more than the file can hold: it is truncated or damaged");
}

std::string quoted(const std::string& text) {
  std::string shown = text.substr(0, 40);
  for (char& c : shown)
    if (c < ' ' || c > '~') c = '?';
  return "'" + shown + (text.size() > shown.size() ? "..." : "") + "'";
}

TextStream::TextStream(const std::string& path) : bytes_(path) {
  // The first three bytes tell the encoding; what is no mark is text.
  std::string start;
  for (int c = 0; start.size() < 3 && (c = bytes_.get()) >= 0;) {
    start.push_back(static_cast<char>(c));
    if (start == "\xFF\xFE" || start == "\xFE\xFF") break;
  }
  if (start == "\xFF\xFE") encoding_ = Encoding::utf16_little;
  if (start == "\xFE\xFF") encoding_ = Encoding::utf16_big;
  if (encoding_ == Encoding::utf8 && start.find('\0') != std::string::npos)
    throw bad_input(path +
                    ": begins like UTF-16 text without a byte order mark, or is no text: save it as UTF-8");
  if (encoding_ == Encoding::utf8 && start != "\xEF\xBB\xBF") pending_ = start;
}

int TextStream::unit() {
  const int first = bytes_.get();
  if (first < 0) return -1;
  const int second = bytes_.get();
  if (second < 0) throw bad_input(path() + ": ends within a character of its UTF-16 text: it is truncated");
  return encoding_ == Encoding::utf16_little ? second << 8 | first : first << 8 | second;
}

void append_utf8(std::string& text, unsigned long c) {
  if (c < 0x80) {
    text.push_back(static_cast<char>(c));
    return;
  }
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  constexpr unsigned char heads[] = {0, 0xC0, 0xE0, 0xF0};
  text.push_back(static_cast<char>(heads[more] | (c >> 6 * more & 0x3F)));
  for (int k = more - 1; k >= 0; --k) text.push_back(static_cast<char>(0x80 | (c >> 6 * k & 0x3F)));
}

int TextStream::decoded() {
  if (given_ < pending_.size()) return static_cast<unsigned char>(pending_[given_++]);
  if (encoding_ == Encoding::utf8) return bytes_.get();
  const int high = unit();
  if (high < 0) return -1;
  unsigned long c = static_cast<unsigned long>(high);
  if (high >= 0xD800 && high < 0xDC00) {
    const int low = unit();
    if (low < 0xDC00 || low >= 0xE000) throw bad_input(path() + ": is no valid UTF-16 text");
    c = 0x10000UL + ((c - 0xD800UL) << 10U) + (static_cast<unsigned long>(low) - 0xDC00UL);
  }
  pending_.clear();
  given_ = 0;
  append_utf8(pending_, c);
  return static_cast<unsigned char>(pending_[given_++]);
}

int TextStream::get() {
  int c = held_;
  held_ = none;
  if (c == none) c = decoded();
  if (c != '\r') return c;
  const int next = decoded();
  if (next != '\n') held_ = next;
  return '\n';
}

}  // namespace poise::data
