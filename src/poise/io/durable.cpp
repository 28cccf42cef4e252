#include "poise/io/durable.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "poise/base/error.hpp"

namespace poise {
inline namespace io {
namespace {

Error system_error(const std::string& what, const std::string& path, int code = errno) {
  return failure(what + " '" + path + "': " + std::strerror(code));
}

/// Owner of a file descriptor.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : value_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (value_ < 0) throw system_error("cannot open", path);
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

void write_all(const std::string& path, std::string_view content) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC);
  while (!content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw system_error("cannot write", path);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0) throw system_error("cannot write", path);
}

std::string mebibytes(std::uint64_t bytes) {
  return fmt::format("{} MiB", (bytes >> 20) + 1);
}

void reserve(const Descriptor& file, int mode, const std::string& path, std::uint64_t bytes) {
  if (::fallocate(file.get(), mode, 0, static_cast<off_t>(bytes)) == 0) return;
  if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
    throw system_error("cannot store " + mebibytes(bytes) + " in", path);
}

}  // namespace

void replace_file(const std::string& path, std::string_view content) {
  const std::filesystem::path final_path(path);
  const std::string temporary =
      (final_path.parent_path() / ("." + final_path.filename().string() + ".tmp")).string();
  try {
    write_all(temporary, content);
    rename_durably(temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void sync_path(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  // EINVAL: the file system cannot sync directories and then needs no sync.
  if (::fsync(file.get()) != 0 && errno != EINVAL) throw system_error("cannot write to disk", path);
}

namespace {

/// The directory that a file lies in.
std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

void rename_durably(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw system_error("cannot create", to);
  try {
    sync_path(folder_of(to));
  } catch (const Error& error) {
    throw failure("cannot be sure of '" + to + "': " + error.what());
  }
}

void remove_durably(const std::string& path) {
  if (::unlink(path.c_str()) == 0)
    sync_path(folder_of(path));
  else if (errno != ENOENT)
    throw system_error("cannot remove", path);
}

void require_space(const std::string& path, std::uint64_t bytes) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC);
  reserve(file, 0, path, bytes);
  if (::ftruncate(file.get(), 0) != 0) throw system_error("cannot write", path);
}

void require_writable(const std::string& path, std::uint64_t bytes) {
  const Descriptor file(path, O_WRONLY);
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < bytes)
    throw system_error("cannot write " + mebibytes(bytes) + " to", path, EFBIG);
}

void reserve_space(const std::string& path, std::uint64_t bytes) {
  reserve(Descriptor(path, O_WRONLY), FALLOC_FL_KEEP_SIZE, path, bytes);
}

void trim(const std::string& path) {
  std::error_code code;
  const auto size = std::filesystem::file_size(path, code);
  if (code || ::truncate(path.c_str(), static_cast<off_t>(size)) != 0)
    throw system_error("cannot write", path, code ? code.value() : errno);
}

void create_directory(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (!std::filesystem::is_directory(path))
    throw failure("cannot create directory '" + path + "': " + (code ? code.message() : "it is a file"));
}

void require_output_path(const std::string& option, const std::string& path) {
  if (path.empty()) return;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (std::filesystem::is_directory(path)) throw bad_input("-" + option + " " + path + ": is a directory");
  if (!folder.empty() && !std::filesystem::is_directory(folder))
    throw bad_input("-" + option + " " + path + ": there is no directory " + folder.string());
}

}  // namespace io
}  // namespace poise
