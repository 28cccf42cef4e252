#include "poise_data/node_numbers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "poise/base/error.hpp"

namespace poise::data {

NodeNumbers::NodeNumbers(const std::vector<Index>& numbers, std::string why)
    : nodes_(static_cast<Index>(numbers.size())), why_(std::move(why)) {
  for (std::size_t node = 0; node < numbers.size(); ++node)
    places_.emplace_back(numbers[node], static_cast<Index>(node));
  std::sort(places_.begin(), places_.end());
}

Index NodeNumbers::node(Index number, const std::string& at) const {
  if (places_.empty()) {
    if (number >= first_ && number - first_ < nodes_) return number - first_;
  } else {
    const auto found = std::lower_bound(places_.begin(), places_.end(), std::pair{number, Index{0}});
    if (found != places_.end() && found->first == number) return found->second;
  }
  throw bad_input(fmt::format("{}node {} does not exist: {}", at, number, why_));
}

}  // namespace poise::data
