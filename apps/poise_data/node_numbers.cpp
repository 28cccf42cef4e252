#include "poise_data/node_numbers.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace poise::data {

NodeNumbers::NodeNumbers(const std::vector<Index>& numbers, std::string why)
    : nodes_(static_cast<Index>(numbers.size())), why_(std::move(why)) {
  for (std::size_t node = 0; node < numbers.size(); ++node)
    places_.emplace_back(numbers[node], static_cast<Index>(node));
  std::sort(places_.begin(), places_.end());
}

Index NodeNumbers::find(Index number) const {
  if (places_.empty()) return number >= first_ && number - first_ < nodes_ ? number - first_ : -1;
  const auto found = std::lower_bound(places_.begin(), places_.end(), std::pair{number, Index{0}});
  return found != places_.end() && found->first == number ? found->second : -1;
}

Error NodeNumbers::missing(Index number, const std::string& at) const {
  return bad_input(fmt::format("{}node {} does not exist: {}", at, number, why_));
}

}  // namespace poise::data
