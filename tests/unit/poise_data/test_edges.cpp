#include <utility>

#include "unit/poise_data/importer_fixture.hpp"

namespace poise::data {
namespace {

using Cases = std::vector<std::pair<std::string, std::string>>;  // a part of the message, and the bad text

/// Five nodes; the label of node 4 is not known.
const std::string nodes = "a,b,class\n0.5,9,cat\n1.5,2,dog\n2.5,3,eel\n3.5,4,dog\n4.5,5,\n";
const std::string matrix = "%%MatrixMarket matrix coordinate ";

class EdgesTest : public ImporterTest {
 protected:
  std::string with_nodes() const { return " -csv " + put("nodes.csv", nodes) + " -label_column class "; }
  std::string edges(const std::string& text, const std::string& options) const {
    return "-edges " + put("edges.txt", text) + " " + options;
  }
  /// The message names `file` and the part.
  void expect_refused(const std::string& text, const std::string& part, const std::string& options = {},
                      const std::string& file = "edges.txt: ") const {
    const std::string error = import_error(edges(text, options));
    EXPECT_NE(error.find(part), std::string::npos) << error << "\n" << text;
    EXPECT_NE(error.find(file), std::string::npos) << error;
  }
};

TEST_F(EdgesTest, WrongLinesAreRefusedByLineCauseAndCure) {
  const Cases cases{{"line 2: node 5 does not exist", "0,1\n5,1\n"},
                    {"has 5 rows, for the nodes 0 to 4: correct its number, or add the row", "0,1\n1,5\n"},
                    {"line 2: '-1' is not the number of a node", "0,1\n-1,1\n"},
                    {"line 2: '1.5' is not the number of a node", "0,1\n1.5,1\n"},
                    {"line 2: 'x' is not the number", "0,1\nx,1\n"},
                    {"line 1: 'x' is not the number", "x,1\n"},
                    {"line 2: '' is not the number", "0,1\n0,\n"},
                    {"line 2: has 1 field", "0,1\n0\n"},
                    {"line 3: has 3 fields; the lines above have 2", "0,1\n\n0,1,2\n"},
                    {"line 1: has 4 fields", "0,1,2,3\n"},
                    {"line 1: has 1 field", "0\n"},
                    {"line 2: the weight '-2' is not a positive number", "0,1,1\n1,2,-2\n"},
                    {"line 2: the weight 'nan'", "0,1,1\n1,2,nan\n"},
                    {"the weight 'inf'", "0,1,inf\n"},
                    {"the weight '0'", "0,1,0\n"},
                    {"the weight ''", "0,1,\n"},
                    {"the weight 'heavy'", "0,1,heavy\n"},
                    {"holds no edge", ""},
                    {"holds no edge", "# none\nsource,target\n"},
                    {"never closed", "0,\"1\n"}};
  for (const auto& [part, text] : cases) expect_refused(text, part, with_nodes());
}

TEST_F(EdgesTest, AnEdgeWithTwoWeightsIsRefusedWithBothLines) {
  expect_refused(
      "0,1,1\n0,1,1\n1,0,2\n",
      "line 3: the edge of the nodes 1 and 0 has the weight 2, but 1 on line 1: give it one weight; "
      "-directed true");
  expect_refused(
      "0,1,1\n0,1,2\n",
      "line 2: the edge of the nodes 0 and 1 has the weight 2, but 1 on line 1: give it one weight",
      "-directed true");
  expect_refused(matrix + "real general\n3 3 3\n1 2 0.5\n2 1 1.5\n3 1 2\n",
                 "line 4: the edge of the nodes 2 and 1 has the weight 1.5, but 0.5 on line 3");
}

TEST_F(EdgesTest, NumbersThatLookLikeIdentifiersAreRefusedWithTheOption) {
  expect_refused("0,1\n123456789,1\n", "are these identifiers? -map_nodes true");
  expect_refused(matrix + "pattern general\n9000000 9000000 1\n1 2\n", "has 9000000 nodes, but 1 edge only");
  const std::string table = put("papers.csv", "paper,a,class\n31336,0.5,0\n7,1.5,1\n");
  const std::string by_column = "-csv " + table + " -label_column class -node_column ";
  expect_refused("7 31336\n7 8\n", "line 2: node 8 does not exist", by_column + "paper");
  expect_refused("7 31336\n", "-label_column and -node_column name the same column", by_column + "2", "");
  expect_refused("7 31336\n", "line 2: '0.5' in the -node_column is not the number", by_column + "a",
                 "papers.csv");
  const std::string twice = put("twice.csv", "paper,class\n7,0\n7,1\n");
  expect_refused("7 7\n", "line 3: node 7 stands on line 2",
                 "-csv " + twice + " -label_column 1 -node_column 0", "twice.csv");
}

TEST_F(EdgesTest, WrongMatricesAreRefused) {
  const Cases cases{
      {"no sparse matrix", "%%MatrixMarket matrix array real general\n2 2\n1\n"},
      {"'complex' are no weights", matrix + "complex general\n2 2 1\n1 2 1 0\n"},
      {"'skew-symmetric' is not that of a graph", matrix + "real skew-symmetric\n2 2 1\n2 1 1\n"},
      {"is not the size", matrix + "pattern general\n2 2\n"},
      {"ends before the size", matrix + "pattern general\n"},
      {"2 x 3 is not the adjacency matrix", matrix + "pattern general\n2 3 1\n1 2\n"},
      {"line 3: node 3 is outside the matrix", matrix + "pattern general\n2 2 1\n1 3\n"},
      {"line 3: node 0 is outside the matrix", matrix + "pattern general\n2 2 1\n0 1\n"},
      {"states 2 entries, but has 1", matrix + "pattern general\n2 2 2\n1 2\n"},
      {"line 4: is behind the last of the 1 entries", matrix + "pattern general\n2 2 1\n1 2\n2 1\n"},
      {"line 3: has 2 fields; the kind of the matrix says 3", matrix + "real general\n2 2 1\n1 2\n"},
      {"line 3: the weight '-1' is not a positive", matrix + "real general\n2 2 1\n1 2 -1\n"}};
  for (const auto& [part, text] : cases) expect_refused(text, part);
  const std::string four = matrix + "pattern general\n4 4 1\n1 2\n";
  expect_refused(four, "both need the same nodes", with_nodes());
  expect_refused(four, "leave -map_nodes and -node_column out", "-map_nodes true");
}

TEST_F(EdgesTest, WrongSetsAreRefusedByLine) {
  const Cases cases{{"line 2: node 5 does not exist", "0,train\n5,test\n"},
                    {"line 2: 'tent' is not a set", "0,train\n1,tent\n"},
                    {"line 3: node 0 stands on line 1, too", "0,train\n1,test\n0,test\n"},
                    {"split 1 (from 0) has no node of the set train", "0,train,test\n"},
                    {"line 1: 'x' is not the number", "x,train\n"},
                    {"line 2: has 3 fields, the first line 2", "0,train\n1,test,test\n"},
                    {"has one field", "0\n"},
                    {"line 2: the label or target of node 4 is not known", "0,train\n4,test\n"},
                    {"holds no line", ""}};
  for (const auto& [part, text] : cases)
    expect_refused("0,1\n1,2\n", part, with_nodes() + "-sets " + put("sets.csv", text), "sets.csv: ");
}

TEST_F(EdgesTest, OptionsWithoutEffectOrAgainstEachOtherAreRefused) {
  const std::string x = "-npy_features " + put("x.npy", npy_bytes("|u1", "(5, 2)", "0123456789")) + " ";
  const std::string alone = x + "-unlabelled true ";
  const std::string unknown = "-csv " + put("unknown.csv", "a,class\n1,\n2,-1\n3,\n4,NA\n");
  const std::string holes = "-csv " + put("holes.csv", "a,class\n1,0\n,1\n3,1\n4,0\n");
  const Cases cases{
      {"-csv and NPY arrays exclude each other", with_nodes() + alone},
      {"-label_column belongs to -csv", "-label_column 0"},
      {"-classes belongs to a file of the nodes", "-classes 2"},
      {"-map_nodes goes with edges alone", alone + "-map_nodes true"},
      {"-node_features makes features, but", alone + "-node_features degree"},
      {"-splits is about random splits of nodes with labels", "-splits 2"},
      {"-seed is about random splits, but -sets",
       with_nodes() + "-seed 1 -sets " + put("s.csv", "0,train\n")},
      {"-train_share and -validation_share are more than 1", "-train_share 0.7 -validation_share 0.7"},
      {"give one of -label_column", "-csv " + put("bare.csv", nodes)},
      {"with -npy_features give one of", x},
      {"no label or target is known", unknown + " -label_column 1"},
      {"the value is missing; fill it in, or leave the column out by -drop_columns",
       holes + " -label_column 1"},
      {"exclude each other", "-npz " + put("x.npz", "")},
      {"-drop_missing is unknown", with_nodes() + "-drop_missing true"}};
  for (const auto& [part, options] : cases) expect_refused("0,1\n2,3\n", part, options, "");
  expect_refused("0,30000\n", "-node_features identity: 30001 nodes", "-node_features identity", "");
  expect_error("-edges " + (folder_ / "none.txt"), "no such file");
}

}  // namespace
}  // namespace poise::data
