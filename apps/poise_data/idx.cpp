#include "poise_data/idx.hpp"

#include <array>

#include "poise/base/error.hpp"

namespace poise::data {

IdxReader::IdxReader(const std::string& path) : file_(path) {
  std::array<std::uint8_t, 4> head{};
  file_.read_exact(head.data(), head.size(), "IDX header");
  const auto [zero, also_zero, type, dimensions] = head;
  if (zero != 0 || also_zero != 0 || dimensions == 0)
    throw bad_input(path + ": is not an IDX file: it does not begin with the bytes 0 0 type dimensions");
  constexpr std::uint8_t unsigned_byte = 0x08;
  if (type != unsigned_byte)
    throw bad_input(path + ": is not an IDX file of unsigned bytes (type 8), but of type " +
                    std::to_string(type) + ": convert it, to NPY for example (import -npy_features)");
  std::string promise;
  for (int i = 0; i < dimensions; ++i) {
    file_.read_exact(head.data(), head.size(), "IDX header");
    const Index extent = (Index{head[0]} << 24) | (Index{head[1]} << 16) | (Index{head[2]} << 8) | head[3];
    promise.append(promise.empty() ? "" : " x ").append(std::to_string(extent));
    if (extent == 0) throw bad_input(path + ": holds nothing: its header says " + promise + " values");
    // Compared at each step, so that the product cannot overflow.
    file_.expect_room(static_cast<std::uint64_t>(i == 0 ? extent : shape_.front() * item_size_),
                      static_cast<std::uint64_t>(i == 0 ? 1 : extent), promise + " bytes");
    shape_.push_back(extent);
    if (i > 0) item_size_ *= extent;
  }
}

std::vector<std::uint8_t> IdxReader::next(Index count) {
  std::vector<std::uint8_t> values(static_cast<std::size_t>(count * item_size_));
  file_.read_exact(values.data(), values.size(), "data");
  position_ += count;
  if (position_ == items()) file_.expect_end("last item");
  return values;
}

}  // namespace poise::data
