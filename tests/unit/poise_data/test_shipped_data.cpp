#include "poise/graph/graph_dataset.hpp"
#include "unit/poise_data/importer_fixture.hpp"

namespace poise::data {
namespace {

/// The files of data/, and the files that data/make.sh has made from data/raw; ctest runs the script before.
class ShippedDataTest : public testing::Test {
 protected:
  const std::string shipped_ = POISE_SOURCE_DIR "/data/";
  const std::string made_ = POISE_BINARY_DIR "/remade_data/";
};

TEST_F(ShippedDataTest, TheShippedFilesAreWhatTheScriptMakes) {
  for (const char* name : {"digits.h5", "diabetes.h5"}) {
    const Dataset shipped(MPI_COMM_WORLD, shipped_ + name);
    const Dataset made(MPI_COMM_WORLD, made_ + name);
    EXPECT_EQ(shipped.info().name, made.info().name);
    EXPECT_EQ(shipped.info().source, made.info().source);
    EXPECT_EQ(shipped.info().license, made.info().license);
    EXPECT_EQ(shipped.info().outputs, made.info().outputs);
    ASSERT_EQ(shipped.info().samples, made.info().samples);
    ASSERT_EQ(shipped.info().test_samples, made.info().test_samples);
    const Range train{0, made.info().samples};
    const Range test{0, made.info().test_samples};
    EXPECT_EQ(shipped.read_train(train).features, made.read_train(train).features);
    EXPECT_EQ(shipped.read_train(train).targets, made.read_train(train).targets);
    EXPECT_EQ(shipped.read_test(test).features, made.read_test(test).features);
    EXPECT_EQ(shipped.read_test(test).targets, made.read_test(test).targets);
  }
}

TEST_F(ShippedDataTest, TheShippedGraphIsWhatTheScriptMakes) {
  const GraphDataset shipped(MPI_COMM_WORLD, shipped_ + "digits_graph.h5");
  const GraphDataset made(MPI_COMM_WORLD, made_ + "digits_graph.h5");
  EXPECT_EQ(shipped.info().nodes, 1500);
  EXPECT_EQ(shipped.info().splits, 10);
  EXPECT_EQ(shipped.info().source, made.info().source);
  const GraphRows rows = shipped.read_own_rows();
  EXPECT_EQ(rows.starts, made.read_own_rows().starts);
  EXPECT_EQ(rows.neighbours, made.read_own_rows().neighbours);
  EXPECT_EQ(shipped.read_nodes(rows.own).features, made.read_nodes(rows.own).features);
  EXPECT_EQ(shipped.read_nodes(rows.own).labels, made.read_nodes(rows.own).labels);
  for (Index split = 0; split < shipped.info().splits; ++split)
    EXPECT_EQ(shipped.read_masks(split, rows.own), made.read_masks(split, rows.own));
}

TEST_F(ShippedDataTest, TheShippedFilesHaveTheirDocumentedShapes) {
  const Dataset digits(MPI_COMM_WORLD, shipped_ + "digits.h5");
  EXPECT_EQ(digits.info().samples, 1500);
  EXPECT_EQ(digits.info().test_samples, 297);
  EXPECT_EQ(digits.info().inputs, 64);
  EXPECT_EQ(digits.info().outputs, 10);
  const Dataset diabetes(MPI_COMM_WORLD, shipped_ + "diabetes.h5");
  EXPECT_EQ(diabetes.info().samples, 342);
  EXPECT_EQ(diabetes.info().test_samples, 100);
  EXPECT_EQ(diabetes.info().inputs, 10);
  EXPECT_FALSE(diabetes.info().classification);
}

}  // namespace
}  // namespace poise::data
