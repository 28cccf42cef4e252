#include "poise/io/checkpoint_format.hpp"

#include <bit>

#include "poise/io/checksum.hpp"

namespace poise {

void Manifest::add_data_set(const std::string& name, const std::vector<Index>& dims, std::uint32_t crc) {
  std::string text = "data";
  for (const Index d : dims) text += " " + std::to_string(d);
  entries_[name] = text + " crc32 " + std::to_string(crc);
}

void Manifest::add_attribute(const std::string& object, const std::string& name, const H5Value& value) {
  std::string text;
  if (const auto* real = std::get_if<double>(&value))
    text = "real " + std::to_string(std::bit_cast<std::uint64_t>(*real));  // bits: NaN and -0 count too
  else if (const auto* integer = std::get_if<Index>(&value))
    text = "integer " + std::to_string(*integer);
  else
    text = "text " + std::get<std::string>(value);
  entries_[object + "@" + name] = text;
}

Index Manifest::checksum() const {
  std::uint32_t crc = 0;
  for (const auto& [name, text] : entries_) crc = crc32_of(name + "\n" + text + "\n", crc);
  return crc;
}

}  // namespace poise
