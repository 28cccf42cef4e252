#include <algorithm>

#include "unit/poise_data/importer_fixture.hpp"

namespace poise::data {
namespace {

class CsvTest : public ImporterTest {
 protected:
  std::vector<double> features_of(const std::string& text, const std::string& options) const {
    const Dataset data = imported("-csv " + put("table.csv", text) + " " + options);
    return data.read_train({0, data.info().samples}).features;
  }
  void expect_table_error(const std::string& text, const std::string& part,
                          const std::string& options = "-label_column -1") const {
    expect_error("-csv " + put("table.csv", text) + " " + options, part);
  }
};

const std::vector<double> expected{1.5, -2, 3, 4e3};

TEST_F(CsvTest, EverySeparatorAndLineEndingIsFound) {
  for (const char* text :
       {"1.5,-2,0\n3,4e3,1\n", "1.5;-2;0\n3;4e3;1", "1.5\t-2\t0\n3\t4e3\t1\n", "  1.5  -2 0\n3 4e3  1 \n",
        "1.5, -2, 0\r\n+3, 4e3, 1\r\n", "\"1.5\",\"-2\",0\n3,4e3,1\n",
        "\xEF\xBB\xBF"
        "1.5,-2,0\n3,4e3,1\n",
        "# a comment\n\n1.5,-2,0\n\n3,4e3,1\n\n"})
    EXPECT_EQ(features_of(text, "-label_column -1"), expected) << text;
}

TEST_F(CsvTest, AHeaderIsFoundOrDeclared) {
  EXPECT_EQ(features_of("a,b,class\n1.5,-2,0\n3,4e3,1\n", "-label_column 2"), expected);
  EXPECT_EQ(features_of("1,2,3\n1.5,-2,0\n3,4e3,1\n", "-label_column 2 -csv_header true"), expected);
}

TEST_F(CsvTest, LabelsAndTargetsAreTakenFromTheirColumns) {
  const std::string path = put("table.csv", "2,10,11,0.5\n0,20,21,1.5\n1,30,31,2.5\n");
  const Dataset labelled = imported("-csv " + path + " -label_column 0 -name n -source s -license l");
  EXPECT_TRUE(labelled.info().classification);
  EXPECT_EQ(labelled.info().outputs, 3);
  EXPECT_EQ(labelled.info().name + labelled.info().source + labelled.info().license, "nsl");
  EXPECT_EQ(labelled.read_train({0, 3}).labels, (std::vector<Index>{2, 0, 1}));
  EXPECT_EQ(imported("-csv " + path + " -label_column -4 -classes 7").info().outputs, 7);
  const SampleBlock block = imported("-csv " + path + " -target_columns -1,1").read_train({0, 3});
  EXPECT_EQ(block.targets, (std::vector<double>{0.5, 10, 1.5, 20, 2.5, 30}));
  EXPECT_EQ(block.features, (std::vector<double>{2, 11, 0, 21, 1, 31}));
  const std::string second = put_compressed("targets.csv.gz", "7\n8\n9\n");
  EXPECT_EQ(imported("-csv " + path + " -target_csv " + second).read_train({1, 3}).targets,
            (std::vector<double>{8, 9}));
}

TEST_F(CsvTest, TheTestSetIsTheLastRowsOrDrawnWithTheSeed) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += std::to_string(i) + ".5," + std::to_string(i) + "\n";
  const std::string options = "-csv " + put("table.csv", text) + " -target_columns 1 ";
  const Dataset last = imported(options + "-test_rows 10");
  EXPECT_EQ(last.info().samples, 40);
  EXPECT_EQ(last.read_test({0, 1}).features, std::vector<double>{40.5});
  const auto drawn = [&](const char* seed) {
    const Dataset data = imported(options + "-test_fraction 0.3 -seed " + seed);
    EXPECT_EQ(data.info().test_samples, 15);
    auto all = data.read_train({0, 35}).targets;
    const auto test = data.read_test({0, 15}).targets;
    all.insert(all.end(), test.begin(), test.end());
    EXPECT_TRUE(std::is_sorted(test.begin(), test.end()));
    std::sort(all.begin(), all.end());
    for (int i = 0; i < 50; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i);
    return test;
  };
  EXPECT_EQ(drawn("3"), drawn("3"));
  EXPECT_NE(drawn("3"), drawn("4"));
}

TEST_F(CsvTest, EveryDefectOfATableIsNamedWithItsLine) {
  expect_table_error("", "holds no row of numbers");
  expect_table_error("a,b,c\n", "holds no row of numbers");
  expect_table_error("1,2,0\n1,2\n", "line 2: has 2 fields, the rows above 3");
  expect_table_error("1,2,0\n1,2,1,\n", "line 2: has 4 fields");
  expect_table_error("1,2,0\n\n1,two,1\n", "line 3, column 1: 'two' is not a number");
  expect_table_error("1,x,0\n1,2,1\n", "-csv_header true if this line holds the names");
  expect_table_error("a,b\n1,2\n", "line 1, column 0: 'a' is not", "-label_column 1 -csv_header false");
  expect_table_error("1,2,0\n1,,1\n", "line 2, column 1: the field is empty");
  expect_table_error("1,2,0\n1,nan,1\n", "'nan' is not a finite number");
  expect_table_error("1,2,0\n1,-inf,1\n", "'-inf' is not a finite number");
  expect_table_error("1,2,0\n1,1e999,1\n", "'1e999' is not a number");
  expect_table_error("1,2,0\n1,2,0.5\n", "line 2: the label 0.5 is not a whole number: is it a number to be");
  expect_table_error("1,2,0\n1,2,-1\n", "line 2: the label -1 is not an integer from 0 on");
  expect_table_error("1,2,0\n1,2,5e15\n", "line 2: the label 5e+15 is not below");
  expect_table_error("1,2,0\n1,2,3\n", "line 2: the label 3 is not below 3", "-label_column 2 -classes 3");
  expect_table_error("1,2,0\n", "column 3 is not one of the 3 columns", "-label_column 3");
  expect_table_error("1,2,0\n", "column -4 is not one of the 3 columns", "-label_column -4");
  expect_table_error("1,2,0\n", "'x' is not the number of a column", "-target_columns 0,x");
  expect_table_error("1,2,0\n", "column -3 is given twice", "-target_columns 0,-3");
  expect_table_error("1,2,0\n", "no column is left for the features", "-target_columns 0,1,2");
  expect_table_error("1,2,0\n", "leaves none for training", "-label_column 2 -test_rows 1");
  expect_table_error("1,2,0\n", "exclude each other", "-label_column 2 -test_rows 1 -test_fraction 0.1");
  expect_table_error("1,2,0\n", "give one of -label_column", "-label_column 2 -target_columns 1");
  expect_table_error("1,2,0\n", "-target_csv", "-name x");
  expect_table_error("1,2\n", "two.csv: has 2 rows, ", "-target_csv " + put("two.csv", "1\n2\n"));
  expect_table_error("1,2\n", "unknown, the nearest is -label_column", "-labl_column 1");
  expect_table_error("1,2\n", "exclude each other", "-label_column 1 -images x");
}

TEST_F(CsvTest, FilesThatCannotBeReadAreNamed) {
  expect_error("-csv " + (folder_ / "none.csv") + " -label_column 0", "none.csv: no such file");
  expect_error("-csv " + folder_.path() + " -label_column 0", "is a directory");
  const std::string path = put_compressed("table.csv.gz", "1,2,0\n3,4,1\n");
  std::string bytes;
  on_root(MPI_COMM_WORLD, [&] {
    std::ifstream file(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  });
  expect_error("-csv " + put("cut.csv.gz", bytes.substr(0, bytes.size() / 2)) + " -label_column 0",
               "truncated");
  if (!bytes.empty()) bytes[bytes.size() - 6] ^= 1;  // the checksum of gzip
  expect_error("-csv " + put("flipped.csv.gz", bytes) + " -label_column 0", "fetch the file again");
}

TEST_F(CsvTest, ALineThatFillsTheMemoryIsRefused) {
  const std::string endless(std::size_t{65} << 20, '1');  // a compressed file of a few kilobytes
  expect_error("-csv " + put_compressed("bomb.csv.gz", endless) + " -label_column 0",
               "a line of more than 64 MiB");
}

TEST_F(CsvTest, AnExistingFileIsKeptUnlessForced) {
  const std::string options = "-csv " + put("table.csv", "1.5,-2,0\n3,4e3,1\n") + " -label_column -1";
  put("out.h5", "precious");
  EXPECT_NE(message_of([&] { (void)run("import", options); }).find("exists already; -force true"),
            std::string::npos);
  on_root(MPI_COMM_WORLD, [&] { EXPECT_EQ(std::filesystem::file_size(out_), 8U); });
  EXPECT_EQ(imported(options).info().samples, 2);
}

TEST_F(CsvTest, WordsForMissingLabelsAreNoClasses) {
  for (const char* word : {"NA", "?", "nan", "null", "#N/A"})
    for (const char* options : {"-label_column -1", "-label_column -1 -map_labels true"})
      expect_table_error(std::string("1,2,0\n3,4,") + word + "\n",
                         "line 2: the label '" + std::string(word) + "' stands for a missing one", options);
}

TEST_F(CsvTest, NumbersOfOneSizeAreOneLabelHoweverTheyAreWritten) {
  const Dataset data = imported("-csv " + put("table.csv", "1,2,1\n3,4,1.0\n5,6,2\n7,8,1e0\n") +
                                " -label_column -1 -map_labels true");
  EXPECT_EQ(data.info().outputs, 2);
  EXPECT_EQ(data.read_train({0, 4}).labels, (std::vector<Index>{0, 0, 1, 0}));
}

TEST_F(CsvTest, AQuotedCommaThatMayBeAThousandIsAskedFor) {
  const std::string table = "\"1,234\",2,0\n\"5,5\",3,1\n";
  expect_table_error(table, "line 1, column 0: '1,234' has a decimal comma or a separator of thousands");
  EXPECT_EQ(features_of(table, "-label_column -1 -csv_decimal comma"),
            (std::vector<double>{1.234, 2, 5.5, 3}));
  EXPECT_EQ(features_of("\"5,5\",3,1\n\"1,234\",2,0\n", "-label_column -1"),
            (std::vector<double>{5.5, 3, 1.234, 2}));  // 5,5 shows that the comma is a decimal comma
  EXPECT_EQ(features_of("1,234;2;0\n0,5;3;1\n", "-label_column -1"), (std::vector<double>{1.234, 2, 0.5, 3}));
}

TEST_F(CsvTest, ColumnsWithNumbersForNamesAreAHeaderBehindAnUnnamedIndex) {
  const Dataset data = imported("-csv " + put("table.csv", ",0,1,2\n0,1.5,-2,5\n1,3,4e3,6\n") +
                                " -target_columns -1 -drop_columns 0");
  EXPECT_EQ(data.read_train({0, 2}).features, expected);
  EXPECT_EQ(data.info().input_names, (std::vector<std::string>{"0", "1"}));
}

TEST_F(CsvTest, RowsWithAMissingValueAreLeftOutOnRequest) {
  const std::string table =
      "a,note,b,class\n1,x,2,cat\nNA,x,2,cat\n3,,4,dog\n5,x,,cat\n7,x,8,?\n9,?,10,cat\ninf,x,2,cat\n";
  const std::string path = put("holes.csv", table);
  const std::string options = "-csv " + path + " -label_column class -drop_columns note";
  EXPECT_NE(import_error(options).find("line 3, column 0 ('a'): 'NA'"), std::string::npos);
  expect_table_error("a,b\n1,NA\n,2\n", "every row has a missing value",
                     "-target_columns b -drop_missing true");
  expect_table_error("1,2\n", "rows of two tables",
                     "-drop_missing true -target_csv " + put("answers.csv", "1\n"));
  testing::internal::CaptureStderr();
  const Dataset data = imported(options + " -drop_missing true");
  const std::string said = broadcast(MPI_COMM_WORLD, testing::internal::GetCapturedStderr());
  EXPECT_NE(said.find("4 of 7 rows are left out"), std::string::npos) << said;
  EXPECT_EQ(data.read_train({0, 3}).features, (std::vector<double>{1, 2, 3, 4, 9, 10}));
  EXPECT_EQ(data.read_train({0, 3}).labels, (std::vector<Index>{0, 1, 0}));
}

TEST_F(CsvTest, ColumnsThatMayBeAnIndexOrAHeaderAreNamedWithTheCure) {
  const auto warnings = [&](const std::string& text, const std::string& options) {
    const std::string path = put("table.csv", text);
    testing::internal::CaptureStderr();
    (void)imported("-csv " + path + " " + options);
    return broadcast(MPI_COMM_WORLD, testing::internal::GetCapturedStderr());
  };
  for (const char* name : {"id", "Index"}) {
    const std::string table = std::string(name) + ",a,b,y\n17,1,2,3\n4,2,3,1\n";
    EXPECT_NE(warnings(table, "-target_columns y").find("-drop_columns 0"), std::string::npos) << name;
    EXPECT_EQ(warnings(table, "-target_columns y -drop_columns 0"), "") << name;
  }
  EXPECT_NE(warnings("y,a,b\n5,7,1\n6,2,2\n6,9,3\n", "-target_columns y").find("-drop_columns 2"),
            std::string::npos);
  const std::string numbered = "0,1,2,3\n1.5,2.5,3.5,1\n";
  EXPECT_NE(warnings(numbered, "-target_columns -1").find("is it the header?"), std::string::npos);
  EXPECT_EQ(warnings(numbered, "-target_columns -1 -csv_header true"), "");
  EXPECT_EQ(warnings("id2,a,y\n5,7,1\n6,2,2\n", "-target_columns y"), "");
}

TEST_F(CsvTest, TestTablesNeedTheSameNamesAlsoOfTargets) {
  const std::string options =
      "-csv " + put("train.csv", "a,b,y\n1,2,3\n2,3,4\n") + " -target_columns -1 -test_csv ";
  expect_error(options + put("target.csv", "a,b,z\n5,6,7\n"), "its target columns have different names");
  expect_error(options + put("order.csv", "b,a,y\n5,6,7\n"), "its columns have different names");
  EXPECT_EQ(imported(options + put("same.csv", "a,b,y\n5,6,7\n")).read_test({0, 1}).targets,
            std::vector<double>{7});
}

TEST_F(CsvTest, StratifiedTestSetsLeaveEveryClassItsOnlyTrainingRow) {
  std::string text;
  for (int i = 0; i < 12; ++i) text += std::to_string(i) + ".5," + std::to_string(i < 9 ? 0 : i - 8) + "\n";
  const Dataset data = imported("-csv " + put("table.csv", text) + " -label_column -1 -test_fraction 0.5");
  EXPECT_EQ(data.info().test_samples, 6);
  const auto labels = data.read_train({0, 6}).labels;
  for (Index c = 0; c < 4; ++c) EXPECT_NE(std::find(labels.begin(), labels.end(), c), labels.end()) << c;
}

TEST_F(CsvTest, Utf16IsReadWithItsMarkAndRefusedWithout) {
  const std::string text = "1.5,-2,0\n3,4e3,1\n";
  for (const bool big : {false, true}) {
    std::string bytes;
    for (const char c : text) bytes += big ? std::string{'\0', c} : std::string{c, '\0'};
    expect_table_error(bytes, "UTF-16 text without a byte order mark");
    EXPECT_EQ(features_of((big ? "\xFE\xFF" : "\xFF\xFE") + bytes, "-label_column -1"), expected);
    on_root(MPI_COMM_WORLD, [&] { std::filesystem::remove(out_); });
  }
}

TEST_F(CsvTest, QuotedFieldsDecimalCommasAndMissingTestSetsAreRead) {
  EXPECT_EQ(features_of("\"a, b\",\"c \"\"d\"\"\",e\n1.5,-2,0\n3,4e3,1\n", "-label_column -1"), expected);
  EXPECT_EQ(features_of("1,5;-2;0\n3,0;4e3;1\n", "-label_column -1"), expected);
  const std::string train = put("train.csv", "a,b,y\n1.5,-2,0\n3,4e3,1\n");
  const std::string test = put("test.csv", "a,b,y\n7,8,1\n");
  const Dataset data = imported("-csv " + train + " -test_csv " + test + " -label_column y");
  EXPECT_EQ(data.info().test_samples, 1);
  EXPECT_EQ(data.read_test({0, 1}).features, (std::vector<double>{7, 8}));
  EXPECT_EQ(data.read_test({0, 1}).labels, std::vector<Index>{1});
  EXPECT_EQ(data.info().input_names, (std::vector<std::string>{"a", "b"}));
}

TEST_F(CsvTest, LabelsThatAreNoClassNumbersAreNumbered) {
  const std::string signs = "-csv " + put("s.csv", "1,-1\n2,1\n3,-1\n") + " -label_column 1";
  expect_error(signs, "-map_labels");
  const Dataset texts = imported("-csv " + put("t.csv", "1,dog\n2,cat\n3,dog\n") + " -label_column 1");
  EXPECT_EQ(texts.info().class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(texts.read_train({0, 3}).labels, (std::vector<Index>{1, 0, 1}));
  EXPECT_EQ(imported(signs + " -map_labels true").read_train({0, 3}).labels, (std::vector<Index>{0, 1, 0}));
}

TEST_F(CsvTest, ADrawnTestSetHasItsShareOfEveryClass) {
  std::string text;  // 40 samples of class 0, then 10 of class 1
  for (int i = 0; i < 50; ++i) text += std::to_string(i) + (i < 40 ? ",0\n" : ",1\n");
  const Dataset data = imported("-csv " + put("t.csv", text) + " -label_column 1 -test_fraction 0.2 -seed 3");
  ASSERT_EQ(data.info().test_samples, 10);
  const std::vector<Index> labels = data.read_test({0, 10}).labels;
  EXPECT_EQ(std::count(labels.begin(), labels.end(), 1), 2);
}

TEST_F(CsvTest, AnIndexWithoutANameIsNoFeature) {
  const std::string path = put("t.csv", ",a,b,y\n0,1.5,-2,0\n1,3,4e3,1\n");
  for (const char* answers : {" -label_column y", " -target_columns -1", " -target_columns y"}) {
    const Dataset data = imported("-csv " + path + answers);
    EXPECT_EQ(data.info().input_names, (std::vector<std::string>{"a", "b"})) << answers;
    EXPECT_EQ(data.read_train({0, 2}).features, expected) << answers;
  }
  // A user who names the column gets it.
  EXPECT_EQ(imported("-csv " + path + " -target_columns 0").read_train({0, 2}).targets,
            (std::vector<double>{0, 1}));
}

}  // namespace
}  // namespace poise::data
