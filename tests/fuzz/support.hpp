#pragma once

#include <cstddef>
#include <cstdlib>
#include <functional>
#include <string>

namespace poise::fuzz {

/// A file in memory (tmpfs) that holds `bytes` for as long as the object lives.
class File {
 public:
  explicit File(const std::string& bytes);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Runs a reader. What it refuses must be bad_input: anything else ends the program, and libFuzzer reports
/// it. Returns whether it accepted.
bool accepts(const std::function<void()>& reader);

/// Ends the program unless true: what a reader promises of a file that it accepts.
inline void promise(bool kept) {
  if (!kept) std::abort();
}

}  // namespace poise::fuzz
