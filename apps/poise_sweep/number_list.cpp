#include "poise_sweep/number_list.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "poise/run/usage.hpp"

namespace poise::sweep {
namespace {

bool inside(double value, Bounds bounds) {
  if (!std::isfinite(value)) return false;
  return bounds.open ? bounds.low < value && value < bounds.high
                     : bounds.low <= value && value <= bounds.high;
}

std::vector<double> read(Options& options, const std::string& name, const std::string& initial, Bounds bounds,
                         bool whole, const std::string& help) {
  const std::string text = options.text(name, initial, help);
  const std::string between = std::string(whole ? "whole " : "") + "numbers " +
                              (bounds.open ? "between " : "from ") + to_text(bounds.low) +
                              (bounds.open ? " and " : " to ") + to_text(bounds.high);
  const auto refuse = [&](const std::string& why) {
    return usage("-" + name + " '" + text + "': " + why + "; give " + between + ", as in " + initial);
  };
  std::vector<double> numbers;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    double value = 0.0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (code != std::errc() || end != word.data() + word.size()) throw refuse("'" + word + "' is no number");
    if (!inside(value, bounds) || (whole && value != std::floor(value)))
      throw refuse(word + " is not allowed");
    if (std::find(numbers.begin(), numbers.end(), value) != numbers.end())
      throw refuse(word + " is there twice");
    numbers.push_back(value);
  }
  if (numbers.empty()) throw refuse("the list is empty");
  return numbers;
}

}  // namespace

std::vector<double> read_numbers(Options& options, const std::string& name, const std::string& initial,
                                 Bounds bounds, const std::string& help) {
  return read(options, name, initial, bounds, false, help);
}

std::vector<double> read_integers(Options& options, const std::string& name, const std::string& initial,
                                  Bounds bounds, const std::string& help) {
  return read(options, name, initial, bounds, true, help);
}

}  // namespace poise::sweep
