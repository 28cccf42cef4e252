#include <gtest/gtest.h>

#include "poise/io/dataset.hpp"

namespace poise {
namespace {

std::string warnings(const std::vector<Index>& train, const std::vector<Index>& test = {},
                     const std::vector<std::string>& names = {}) {
  std::string text;
  for (const std::string& warning : class_warnings(train, test, names)) text += warning + "\n";
  return text;
}

TEST(ClassWarnings, NameTheClassesWithoutASampleAndAskTheLikelyQuestion) {
  EXPECT_EQ(warnings({3, 4, 2}), "");
  EXPECT_EQ(warnings({3, 4, 2}, {1, 1, 1}), "");
  EXPECT_EQ(warnings({1, 1, 1}), "");
  for (const auto& [text, words] :
       {std::pair{warnings({0, 3, 4}), "class 0 has no sample: do the labels start at 1?"},
        {warnings({3, 0, 0, 4}), "classes 1 and 2 have no sample: are the labels class numbers?"},
        {warnings({3, 0, 4}, {}, {"a", "b", "c"}), "class 1 (b) has no sample"},
        {warnings({3, 4, 0}, {0, 0, 2}),
         "class 2 has test samples but no training sample: is the file sorted"},
        {warnings({3, 4, 2}, {1, 1, 0}),
         "class 2 has training samples but no test sample: is the file sorted"},
        {warnings(std::vector<Index>(11, 1)), "no class has more than one training sample: is the label an"},
        {warnings({5}), "all training samples have the same class"},
        {warnings({0, 5}, {2, 0}), "all training samples have the same class"}})
    EXPECT_NE(text.find(words), std::string::npos) << text;
  EXPECT_EQ(warnings(std::vector<Index>(30, 0)).find("29"), std::string::npos);  // a long list is cut
}

}  // namespace
}  // namespace poise
