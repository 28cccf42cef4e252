#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "poise/io/hdf5.hpp"

namespace poise {

// What writer and reader of checkpoints share; not for others.

inline constexpr const char* checkpoint_schema = "poise-checkpoint-1";

/// The content of a checkpoint in a canonical order, for its checksum: of every data set the shape and
/// CRC-32, of every attribute type and value.
class Manifest {
 public:
  void add_data_set(const std::string& name, const std::vector<Index>& dims, std::uint32_t crc);
  void add_attribute(const std::string& object, const std::string& name, const H5Value& value);
  [[nodiscard]] Index checksum() const;

 private:
  std::map<std::string, std::string> entries_;
};

}  // namespace poise
