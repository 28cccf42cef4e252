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

/// Runs a reader; returns whether it accepted the file. It must refuse a file by bad_input: any other error
/// ends the program, and libFuzzer reports it.
bool accepts(const std::function<void()>& reader);

/// Ends the program unless the argument is true: what a reader guarantees for an accepted file.
inline void promise(bool kept) {
  if (!kept) std::abort();
}

}  // namespace poise::fuzz
