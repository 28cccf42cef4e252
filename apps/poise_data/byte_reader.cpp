#include "poise_data/byte_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "poise/base/error.hpp"

namespace poise::data {
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
    throw bad_input(path_ + ": ends in its " + part + " (" + std::to_string(got) + " of " +
                    std::to_string(size) + " bytes): the file is empty, truncated or of another format");
}

int ByteReader::get() {
  if (!file_) return place_ < bytes_.size() ? static_cast<unsigned char>(bytes_[place_++]) : -1;
  const int c = gzgetc(file_.get());
  if (c == -1) check_stream();
  return c;
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

}  // namespace poise::data
