#pragma once

#include <string>
#include <vector>

#include "poise_data/npy.hpp"

namespace poise::data {

/// An NPZ file, which is a ZIP file of NPY arrays, stored or deflated. Serial; sizes that it claims are
/// checked before memory is reserved, and its checksums are verified. Throws bad_input.
class NpzFile {
 public:
  explicit NpzFile(std::string path);

  /// Names of the arrays, without ".npy".
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] bool has(const std::string& name) const;
  /// Throws, naming those that there are, if there is none of this name.
  [[nodiscard]] NpyMatrix read(const std::string& name) const;

 private:
  struct Member {
    std::string name;
    unsigned method = 0, flags = 0;
    unsigned long crc = 0;
    std::uint64_t packed = 0, size = 0, offset = 0;
  };
  [[nodiscard]] std::string bytes_at(std::uint64_t offset, std::uint64_t count,
                                     const std::string& part) const;
  [[nodiscard]] std::string content(const Member& member) const;
  void read_directory();

  std::string path_;
  std::uint64_t size_ = 0;
  std::vector<Member> members_;
};

}  // namespace poise::data
