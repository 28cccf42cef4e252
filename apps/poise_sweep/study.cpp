#include "poise_sweep/study.hpp"

#include <numeric>

namespace poise::sweep {

Study make_study(const SweepSettings& settings) {
  if (settings.study == "step_size") return step_size_study(settings);
  if (settings.study == "inexact") return inexact_study(settings);
  if (settings.study == "depth") return depth_study(settings);
  return width_study(settings);
}

std::vector<std::vector<double>> combinations(const std::vector<std::vector<double>>& lists) {
  std::vector<std::vector<double>> all{{}};
  for (const auto& list : lists) {
    std::vector<std::vector<double>> longer;
    for (const auto& start : all)
      for (const double value : list) {
        longer.push_back(start);
        longer.back().push_back(value);
      }
    all = std::move(longer);
  }
  return all;
}

std::vector<double> counting(std::uint64_t count) {
  std::vector<double> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0.0);
  return numbers;
}

}  // namespace poise::sweep
