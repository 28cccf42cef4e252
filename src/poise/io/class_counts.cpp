#include "poise/io/class_counts.hpp"

#include <algorithm>
#include <numeric>

namespace poise {
namespace {

/// "class 3 has", "classes 1, 2 and 4 have"; long lists are cut.
std::string subject(const std::vector<Index>& classes, const std::vector<std::string>& names) {
  constexpr std::size_t most = 10;
  if (classes.size() == 1) return "class " + class_text(classes[0], names) + " has";
  std::string text = "classes ";
  for (std::size_t k = 0; k < classes.size() && k < most; ++k) {
    const bool last = k + 1 == classes.size();
    text += (k == 0 ? "" : last ? " and " : ", ") + class_text(classes[k], names);
  }
  if (classes.size() > most) text += " and " + std::to_string(classes.size() - most) + " more";
  return text + " have";
}

}  // namespace

std::string class_text(Index number, const std::vector<std::string>& names) {
  const std::string text = std::to_string(number);
  const auto place = static_cast<std::size_t>(number);
  return place < names.size() && names[place] != text ? text + " (" + names[place] + ")" : text;
}

std::vector<std::string> class_warnings(const std::vector<Index>& train, const std::vector<Index>& test,
                                        const std::vector<std::string>& names) {
  std::vector<Index> nowhere, only_test, only_train;
  for (std::size_t c = 0; c < train.size(); ++c) {
    const bool tested = !test.empty() && test[c] > 0;
    if (train[c] == 0) (tested ? only_test : nowhere).push_back(static_cast<Index>(c));
    if (train[c] > 0 && !test.empty() && !tested) only_train.push_back(static_cast<Index>(c));
  }
  std::vector<std::string> warnings;
  if (nowhere == std::vector<Index>{0})
    warnings.push_back(
        subject(nowhere, names) +
        " no sample: do the labels start at 1? (poise-data import -map_labels true numbers the "
        "classes that there are)");
  else if (!nowhere.empty())
    warnings.push_back(
        subject(nowhere, names) +
        " no sample: are the labels class numbers? (poise-data import -map_labels true numbers "
        "the classes that there are)");
  constexpr Index few = 10;  // samples in all may well be one of each class
  const Index samples = std::accumulate(train.begin(), train.end(), Index{0});
  if (samples > few && *std::max_element(train.begin(), train.end()) == 1)
    warnings.push_back(
        "no class has more than one training sample: is the label an identifier, or a number to be "
        "predicted?");
  if (std::count_if(train.begin(), train.end(), [](Index count) { return count > 0; }) == 1)
    warnings.push_back(
        "all training samples are of one class: nothing is to be told apart; do the labels stand elsewhere?");
  const std::string sorted =
      ": is the file sorted by class? Shuffle it, or draw the test set (poise-data import -test_fraction)";
  if (!only_test.empty())
    warnings.push_back(subject(only_test, names) + " test samples but no training sample" + sorted);
  if (!only_train.empty())
    warnings.push_back(subject(only_train, names) + " training samples but no test sample" +
                       (only_test.empty() ? sorted : ""));
  return warnings;
}

}  // namespace poise
