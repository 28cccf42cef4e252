#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "poise/run/validation_split.hpp"
#include "unit/io/dataset_fixture.hpp"

namespace poise {
namespace {

constexpr Index classes = 3;

/// A row says its number in its only feature.
class ValidationSplitTest : public DatasetTest {
 protected:
  /// Sizes 1/2, 1/3 and 1/6 of the rows, mixed.
  static Index label_of(Index row) { return row % 2 == 0 ? 0 : row % 3 == 0 ? 2 : 1; }

  void write_rows(Index rows, bool labelled) {
    write_file([&](H5File& file) {
      std::vector<double> numbers;
      std::vector<Index> labels;
      for (Index row = 0; row < rows; ++row) {
        numbers.push_back(static_cast<double>(row));
        labels.push_back(label_of(row));
      }
      file.write_rows("/features", {rows, 1}, {0, rows}, std::span<const double>(numbers));
      if (labelled)
        put_labels(file, "/labels", labels, classes);
      else
        file.write_rows("/targets", {rows, 1}, {0, rows}, std::span<const double>(numbers));
    });
  }

  /// The file's row numbers of the samples of all ranks, in the order of the ranks.
  static std::vector<Index> gathered(const ProcessGrid& grid, const SampleBlock& block, Index count) {
    std::vector<Index> all(static_cast<std::size_t>(count), 0);
    EXPECT_EQ(block.begin, grid.samples(count).begin);
    EXPECT_EQ(block.count, grid.samples(count).size());
    for (Index i = 0; i < block.count; ++i) {
      const auto row = static_cast<Index>(std::lround(block.features[static_cast<std::size_t>(i)]));
      all[static_cast<std::size_t>(block.begin + i)] = row;
      if (!block.labels.empty()) {
        EXPECT_EQ(block.labels[static_cast<std::size_t>(i)], label_of(row));
      }
    }
    MPI_Allreduce(MPI_IN_PLACE, all.data(), static_cast<int>(count), MPI_INT64_T, MPI_SUM, grid.sample());
    return all;
  }

  struct Rows {
    std::vector<Index> train, validation;
  };
  Rows split(Index rows, double fraction, std::uint64_t seed) const {
    const ProcessGrid grid(MPI_COMM_WORLD, 1);
    const Dataset dataset(grid.world(), path_);
    const ValidationSplit split(grid, dataset, rows, fraction, seed);
    return {gathered(grid, split.read_train().block, split.train_count()),
            gathered(grid, split.read_validation().block, split.validation_count())};
  }
  std::string refusal(Index rows, double fraction) const {
    try {
      (void)split(rows, fraction, 0);
    } catch (const Error& error) {
      EXPECT_TRUE(error.collective());
      return error.what();
    }
    return "nothing was thrown";
  }
};

TEST_F(ValidationSplitTest, EveryRowIsInOneOfTheTwoSetsInTheOrderOfTheFile) {
  for (const bool labelled : {false, true})
    for (const Index rows : {13, 60, 257}) {
      write_rows(rows, labelled);
      const Rows found = split(rows, 0.3, 7);
      EXPECT_TRUE(std::is_sorted(found.train.begin(), found.train.end()));
      EXPECT_TRUE(std::is_sorted(found.validation.begin(), found.validation.end()));
      std::vector<Index> both;
      std::merge(found.train.begin(), found.train.end(), found.validation.begin(), found.validation.end(),
                 std::back_inserter(both));
      ASSERT_EQ(static_cast<Index>(both.size()), rows);
      for (Index row = 0; row < rows; ++row) EXPECT_EQ(both[static_cast<std::size_t>(row)], row);
    }
}

TEST_F(ValidationSplitTest, TheShareOfEveryClassIsHeldOut) {
  write_rows(257, true);
  const std::vector<Index> held_out = split(257, 0.25, 3).validation;
  for (Index label = 0; label < classes; ++label) {
    Index size = 0;
    for (Index row = 0; row < 257; ++row) size += label_of(row) == label ? 1 : 0;
    EXPECT_EQ(
        std::count_if(held_out.begin(), held_out.end(), [&](Index row) { return label_of(row) == label; }),
        std::lround(0.25 * static_cast<double>(size)));
  }
}

TEST_F(ValidationSplitTest, TheSeedAndNothingElseChoosesTheRows) {
  write_rows(60, true);
  const std::vector<Index> rows = split(60, 0.2, 5).validation;
  EXPECT_EQ(rows, split(60, 0.2, 5).validation);
  EXPECT_NE(rows, split(60, 0.2, 6).validation);
  // The same numbers on every number of ranks: this test runs on several.
  EXPECT_EQ(rows, (std::vector<Index>{0, 8, 9, 10, 14, 23, 26, 27, 43, 49, 50, 59}));
}

TEST_F(ValidationSplitTest, WithoutAFractionAllRowsAreTrainingSamples) {
  write_rows(13, true);
  const Rows found = split(13, 0.0, 1);
  EXPECT_EQ(found.train.size(), 13U);
  EXPECT_TRUE(found.validation.empty());
}

TEST_F(ValidationSplitTest, AFractionThatLeavesAClassEmptyIsNamed) {
  write_rows(13, true);  // 7, 4 and 2 samples
  EXPECT_NE(refusal(13, 0.2).find("none of the 2 training samples of class 2 would be a validation sample"),
            std::string::npos)
      << refusal(13, 0.2);
  EXPECT_NE(refusal(13, 0.9).find("of class 1 would be a training sample; choose a smaller fraction"),
            std::string::npos)
      << refusal(13, 0.9);
}

}  // namespace
}  // namespace poise
