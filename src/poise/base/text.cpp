#include "poise/base/text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "poise/base/error.hpp"

namespace poise {
inline namespace base {

std::string brief(double value, int digits) {
  return fmt::format("{:.{}g}", value, digits);
}

std::string join(const std::vector<std::string>& words, const std::string& separator) {
  return join(words, separator, separator);
}

std::string join(const std::vector<std::string>& words, const std::string& separator,
                 const std::string& before_last) {
  std::string text;
  for (std::size_t k = 0; k < words.size(); ++k)
    text += (k == 0 ? "" : k + 1 == words.size() ? before_last : separator) + words[k];
  return text;
}

namespace {

/// Reads an open file until `content` has more than `most` bytes; returns false if reading fails.
bool read_all(int descriptor, std::size_t most, std::string& content) {
  std::array<char, 65536> piece{};
  while (content.size() <= most) {
    const ssize_t got = ::read(descriptor, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    content.append(piece.data(), static_cast<std::size_t>(got));
  }
  return true;
}

}  // namespace

// Does not use std::ifstream, whose read() treats an error like the end of the file.
std::string read_file(const std::string& path, std::size_t most) {
  std::string content;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool whole = descriptor >= 0 && read_all(descriptor, most, content);
  const int cause = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!whole)
    throw bad_input(cause == ENOENT ? "file '" + path + "' does not exist"
                                    : "cannot read file '" + path + "': " + std::strerror(cause));
  if (content.size() > most)
    throw bad_input(fmt::format(
        "file '{}' has more than {} bytes: it is damaged, or a different kind of file", path, most));
  return content;
}

}  // namespace base
}  // namespace poise
