#include "poise/run/class_weights.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <sstream>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/run/usage.hpp"

namespace poise {
namespace {

std::vector<double> parse_numbers(const std::string& text) {
  std::vector<double> numbers;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) {
    double number = 0.0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (code != std::errc() || end != word.data() + word.size() || !(number > 0.0) || !std::isfinite(number))
      throw usage("-class_weight " + text + ": '" + word +
                  "' is no weight; give none, balanced, or a number above 0 for each class, as in 1,2.5");
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace

std::vector<Index> count_classes(const ProcessGrid& grid, Index classes, const std::vector<Index>& labels) {
  std::vector<Index> counts(static_cast<std::size_t>(classes), 0);
  for (const Index label : labels) ++counts[static_cast<std::size_t>(label)];
  check_mpi(
      MPI_Allreduce(MPI_IN_PLACE, counts.data(), mpi_count(classes), MPI_INT64_T, MPI_SUM, grid.sample()));
  return counts;
}

std::vector<double> parse_class_weights(const std::string& text, const std::vector<Index>& counts) {
  if (text.empty() || text == "none") return {};
  if (counts.empty())
    throw usage("-class_weight " + text + ": the data have /targets, not classes (/labels); leave it out");
  std::vector<double> weights;
  if (text != "balanced") {
    weights = parse_numbers(text);
    if (weights.size() != counts.size())
      throw usage("-class_weight " + text + " has " + std::to_string(weights.size()) + " numbers for " +
                  std::to_string(counts.size()) + " classes: give one for each");
    return weights;
  }
  const auto samples = static_cast<double>(std::accumulate(counts.begin(), counts.end(), Index{0}));
  const auto present = static_cast<double>(counts.size()) -
                       static_cast<double>(std::count(counts.begin(), counts.end(), Index{0}));
  for (const Index count : counts)
    weights.push_back(count > 0 ? samples / present / static_cast<double>(count) : 1.0);
  return weights;
}

}  // namespace poise
