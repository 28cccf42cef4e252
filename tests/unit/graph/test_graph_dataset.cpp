#include <gtest/gtest.h>

#include <cmath>

#include "poise/graph/graph_dataset.hpp"
#include "poise/graph/graph_generators.hpp"
#include "poise/graph/graph_writer.hpp"
#include "poise/io/hdf5.hpp"
#include "unit/graph/graph_fixture.hpp"

namespace poise {
namespace {

using Entries = std::vector<Index>;

/// A graph file as a user writes it by hand: 0-1, 0-2, 2-3, and the isolated nodes 4 and 5.
struct HandMade {
  Entries starts{0, 2, 3, 5, 6, 6, 6}, neighbours{1, 2, 0, 0, 3, 2};
  std::vector<double> weights;
  std::vector<double> features{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  Entries labels{0, 1, 0, 1, -1, 0};
  std::vector<double> targets;
  Entries train{1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
  Entries validation{0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0};
  Entries test{0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1};
  Index directed = 0;

  void write(const std::string& path) const {
    on_root(MPI_COMM_WORLD, [&] {
      H5File file = H5File::create_alone(path);
      put(file, "/graph/indptr", starts);
      put(file, "/graph/indices", neighbours);
      if (!weights.empty()) put(file, "/graph/weights", weights);
      file.set_attribute("/graph", "directed", directed);
      file.write_rows("/features", {6, 2}, {0, 6}, std::span(features));
      if (!labels.empty()) put(file, "/labels", labels);
      if (!labels.empty()) file.set_attribute("/labels", "classes", Index{2});
      if (!targets.empty()) put(file, "/targets", targets);
      for (const auto& [name, mask] :
           {std::pair("/masks/train", &train), std::pair("/masks/validation", &validation),
            std::pair("/masks/test", &test)})
        put_mask(file, name, *mask);
      file.close();
    });
  }
  /// Two rows, or one if there are as many truth values as nodes.
  static void put_mask(H5File& file, const std::string& name, const Entries& mask) {
    const Index rows = mask.size() == 6 ? 1 : 2;
    if (!mask.empty())
      file.write_rows(name, {rows, static_cast<Index>(mask.size()) / rows}, {0, rows}, std::span(mask));
  }
  template <class Value>
  static void put(H5File& file, const std::string& name, const std::vector<Value>& values) {
    const auto n = static_cast<Index>(values.size());
    file.write_rows(name, {n}, {0, n}, std::span<const Value>(values));
  }
};

class GraphDatasetTest : public testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "graph.h5";

  /// Reads everything; the message must be the same on every rank.
  std::string message(const HandMade& made) const {
    made.write(path_);
    std::string text = "nothing was thrown";
    try {
      const GraphDataset data(MPI_COMM_WORLD, path_);
      const Range own = own_nodes(MPI_COMM_WORLD, data.info().nodes);
      (void)data.read_own_rows();
      (void)data.read_nodes(own);
      for (Index split = 0; split < data.info().splits; ++split) (void)data.read_masks(split, own);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_TRUE(error.collective());
      text = error.what();
      EXPECT_NE(text.find(path_), std::string::npos) << text;
    }
    EXPECT_EQ(text, broadcast(MPI_COMM_WORLD, text));
    return text;
  }
  void expect_message(const HandMade& made, const std::string& part) const {
    const std::string text = message(made);
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  /// `change` spoils a good file.
  template <class Change>
  void expect_refusal(const std::string& part, const Change& change) const {
    HandMade made;
    change(made);
    expect_message(made, part);
  }
};

TEST_F(GraphDatasetTest, AFileByHandIsRead) {
  HandMade().write(path_);
  const GraphDataset data(MPI_COMM_WORLD, path_);
  EXPECT_EQ(data.info().nodes, 6);
  EXPECT_EQ(data.info().entries, 6);
  EXPECT_EQ(data.info().splits, 2);
  EXPECT_EQ(data.info().inputs, 2);
  EXPECT_EQ(data.info().outputs, 2);
  EXPECT_FALSE(data.info().directed || data.info().weighted);
  const GraphRows rows = data.read_own_rows();
  EXPECT_EQ(gathered(rows).starts, HandMade().starts);
  EXPECT_EQ(gathered(rows).neighbours, HandMade().neighbours);
  const GraphStatistics s = statistics_of(MPI_COMM_WORLD, rows);
  EXPECT_EQ(s.isolated, 2);
  EXPECT_EQ(s.components, 3);
  const SampleBlock nodes = data.read_nodes(rows.own);
  EXPECT_EQ(joined(nodes.features, MPI_DOUBLE), HandMade().features);
  EXPECT_EQ(joined(nodes.labels, MPI_INT64_T), HandMade().labels);
  const auto mask = joined(data.read_mask(NodeSet::train, 1, rows.own), MPI_UINT8_T);
  EXPECT_EQ(mask, (std::vector<std::uint8_t>{0, 1, 0, 0, 0, 0}));
}

TEST_F(GraphDatasetTest, GraphsWithoutMasksEdgesOrAnswersAreRead) {
  HandMade made;
  made.train = made.validation = made.test = made.labels = {};
  made.starts.assign(7, 0);
  made.neighbours.clear();
  made.write(path_);
  const GraphDataset data(MPI_COMM_WORLD, path_);
  EXPECT_FALSE(data.info().has_answers);
  EXPECT_EQ(data.info().splits, 1);
  EXPECT_EQ(statistics_of(MPI_COMM_WORLD, data.read_own_rows()).isolated, 6);
  EXPECT_NE(message_of([&] { (void)data.read_masks(0, {0, 0}); }).find("/masks/train"), std::string::npos);
}

TEST_F(GraphDatasetTest, WrongRowEndsAreRefused) {
  expect_refusal("entry 0 is 1; it must be 0", [](HandMade& m) { m.starts[0] = 1; });
  expect_refusal("entry 2 is 1, below entry 1, 2", [](HandMade& m) { m.starts[2] = 1; });
  expect_refusal("the last entry, 6, is 6; it must be 7", [](HandMade& m) { m.neighbours.push_back(1); });
  expect_refusal("the row of node 0 ends at 99", [](HandMade& m) { m.starts[1] = 99; });
  expect_refusal("/graph/indptr has 8 entries, /features has 6", [](HandMade& m) { m.starts.push_back(6); });
}

TEST_F(GraphDatasetTest, WrongNeighboursAreRefused) {
  expect_refusal("node 0 has the neighbour 6, outside the nodes [0, 6)",
                 [](HandMade& m) { m.neighbours[1] = 6; });
  expect_refusal("node 0 has the neighbour -1, outside", [](HandMade& m) { m.neighbours[0] = -1; });
  expect_refusal("node 2 has the neighbour 0 behind 3",
                 [](HandMade& m) { m.neighbours = {1, 2, 0, 3, 0, 2}; });
  expect_refusal("node 2 has the neighbour 3 twice", [](HandMade& m) { m.neighbours[3] = 3; });
  expect_refusal("node 3 is its own neighbour", [](HandMade& m) { m.neighbours[5] = 3; });
  expect_refusal("node 0 has the neighbour 1, but node 1 does not have the neighbour 0",
                 [](HandMade& m) { m.neighbours = {1, 2, 4, 0, 3, 2}; });
}

TEST_F(GraphDatasetTest, ADirectedGraphNeedsNoOtherDirection) {
  HandMade made;
  made.directed = 1;
  made.neighbours = {1, 2, 4, 0, 3, 2};
  EXPECT_EQ(message(made), "nothing was thrown");
  made.directed = 2;
  expect_message(made, "'directed' of /graph is neither 0 nor 1");
}

TEST_F(GraphDatasetTest, WrongWeightsAreRefused) {
  const std::vector<double> good{0.5, 2, 0.5, 2, 1, 1};
  HandMade made;
  made.weights = good;
  EXPECT_EQ(message(made), "nothing was thrown");
  for (const double bad : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    made.weights = good;
    made.weights[4] = bad;
    expect_message(made, "for the neighbour 3; weights are positive numbers");
  }
  made.weights = good;
  made.weights[3] = 2.5;
  expect_message(made, "the edge of the nodes 0 and 2 has the weights 2 and 2.5");
  made.weights.pop_back();
  expect_message(made, "/graph/weights has 5 entries, /graph/indices has 6");
}

TEST_F(GraphDatasetTest, WrongMasksAreRefused) {
  expect_refusal("/masks/train and /masks/test overlap: a node belongs to one set of a split (node 2",
                 [](HandMade& m) { m.train[2] = 1; });
  expect_refusal("split 1 has no training node", [](HandMade& m) { m.train[7] = 0; });
  expect_refusal(
      "/masks/test has a node whose label is not known: take it out of the mask, or give its label "
      "(node 4",
      [](HandMade& m) { m.test[4] = 1; });
  expect_refusal("split 1 has 2 for node 3; store 0 or 1", [](HandMade& m) { m.test[9] = 2; });
  expect_refusal("/masks/validation has 1 splits, another mask has 2",
                 [](HandMade& m) { m.validation.resize(6); });
  expect_refusal("/masks/test is not [splits, nodes] or [nodes] of 6 nodes",
                 [](HandMade& m) { m.test.resize(10); });
  HandMade().write(path_);
  const GraphDataset data(MPI_COMM_WORLD, path_);
  const std::string text = message_of([&] { (void)data.read_masks(2, {0, 0}); });
  EXPECT_NE(text.find("split 2 does not exist: it has 2 splits"), std::string::npos) << text;
}

TEST_F(GraphDatasetTest, WrongNodesAreRefused) {
  expect_refusal("/features: row 3, column 1 holds nan; fill it in",
                 [](HandMade& m) { m.features[7] = std::nan(""); });
  expect_refusal("row 1 holds the label 2, outside [0, 2)", [](HandMade& m) { m.labels[1] = 2; });
  expect_refusal("/masks/test has a node whose target is not known", [](HandMade& m) {
    m.labels.clear();
    m.targets = {0, 1, 2, 3, 4, std::nan("")};
  });
}

TEST_F(GraphDatasetTest, AGraphThatIsWrittenIsRead) {
  const GraphRows rows = stochastic_blocks(MPI_COMM_WORLD, {50, 2, 5.0, 1.0, 4});
  GraphInfo info;
  info.path = path_;
  info.source = "a test";
  info.inputs = 1;
  info.outputs = 2;
  info.classification = true;
  GraphWriter writer(MPI_COMM_WORLD, info, rows);
  SampleBlock block{.begin = rows.own.begin, .count = rows.own.size(), .inputs = 1, .outputs = 2};
  std::vector<std::uint8_t> mask;
  for (Index node = rows.own.begin; node < rows.own.end; ++node) {
    block.features.push_back(0.5 * static_cast<double>(node));
    block.labels.push_back(node % 3 - 1);
    mask.push_back(node % 3 == 1);
  }
  writer.write_nodes(block);
  writer.write_mask(NodeSet::train, 1, mask);
  writer.commit();
  const GraphDataset data(MPI_COMM_WORLD, path_);
  EXPECT_EQ(data.info().entries, writer.info().entries);
  EXPECT_EQ(data.info().source, "a test");
  const GraphRows read = data.read_own_rows();
  EXPECT_EQ(read.starts, rows.starts);
  EXPECT_EQ(read.neighbours, rows.neighbours);
  EXPECT_EQ(data.read_nodes(rows.own).features, block.features);
  EXPECT_EQ(data.read_nodes(rows.own).labels, block.labels);
  EXPECT_EQ(data.read_mask(NodeSet::train, 0, rows.own), mask);
  // On one rank alone, as on all together.
  EXPECT_EQ(GraphDataset(MPI_COMM_SELF, path_).read_own_rows().neighbours, gathered(rows).neighbours);
  EXPECT_NE(message_of([&] { const Dataset table(MPI_COMM_WORLD, path_); }).find("poise-graph-1"),
            std::string::npos);
}

TEST_F(GraphDatasetTest, MoreRanksThanNodesAreRefused) {
  const GraphRows rows = chains(MPI_COMM_WORLD, 1, 2);
  GraphInfo info;
  info.path = path_;
  info.inputs = 1;
  info.has_answers = false;
  GraphWriter writer(MPI_COMM_WORLD, info, rows);
  writer.write_nodes({.begin = rows.own.begin,
                      .count = rows.own.size(),
                      .inputs = 1,
                      .features = std::vector<double>(static_cast<std::size_t>(rows.own.size()), 1.0)});
  writer.commit();
  const std::string text = message_of([&] { const GraphDataset data(MPI_COMM_WORLD, path_); });
  EXPECT_NE(text.find(world_size() > 2 ? "use at most 2" : "nothing was thrown"), std::string::npos) << text;
}

}  // namespace
}  // namespace poise
