#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <tuple>

#include "poise/base/options.hpp"
#include "unit/io/dataset_fixture.hpp"

namespace poise {
namespace {

/// Wrong files, and words that the message must have.
struct Wrong {
  const char* name;
  const char* expected;
  void (*write)(H5File& file);
};

class WrongDatasetTest : public DatasetTest {
 protected:
  static std::vector<Wrong> header_defects();
  static std::vector<Wrong> test_set_defects();
  void expect_messages(const std::vector<Wrong>& all) const {
    for (const Wrong& wrong : all) {
      SCOPED_TRACE(wrong.name);
      write_file(wrong.write);
      expect_message(wrong.expected);
    }
  }
  static void put_pair(H5File& file) {
    put(file, "/features", {3, 2});
    put(file, "/targets", {3, 1});
  }
};

std::vector<Wrong> WrongDatasetTest::header_defects() {
  return {
      {"another schema", "'schema' is 'poise-run-1'",
       [](H5File& f) { put_pair(f), f.set_attribute("/", "schema", std::string("poise-run-1")); }},
      {"empty file", "no data set /features [samples, inputs]; it is empty", [](H5File&) {}},
      {"no features", "it holds /x",
       [](H5File& f) {
         put(f, "/x", {3, 2});
       }},
      {"features of rank 1", "/features [3] has 1 dimensions", [](H5File& f) { put(f, "/features", {3}); }},
      {"features of rank 3", "/features [3, 2, 2] has 3 dimensions",
       [](H5File& f) {
         put(f, "/features", {3, 2, 2});
       }},
      {"no samples", "/features has no rows",
       [](H5File& f) {
         put(f, "/features", {0, 2});
       }},
      {"no inputs", "/features has no columns",
       [](H5File& f) {
         put(f, "/features", {3, 0});
       }},
      {"neither", "has neither /targets",
       [](H5File& f) {
         put(f, "/features", {3, 2});
       }},
      {"both", "has both /targets and /labels",
       [](H5File& f) {
         put_pair(f), put_labels(f, "/labels", {0, 1, 1}, 2);
       }},
      {"rows of targets", "/targets has 4 rows, /features has 3",
       [](H5File& f) {
         put(f, "/features", {3, 2}), put(f, "/targets", {4, 1});
       }},
      {"rows of labels", "/labels has 2 rows, /features has 3",
       [](H5File& f) {
         put(f, "/features", {3, 2}), put_labels(f, "/labels", {0, 1}, 2);
       }},
      {"targets without columns", "/targets has no columns",
       [](H5File& f) {
         put(f, "/features", {3, 2}), put(f, "/targets", {3, 0});
       }},
      {"labels that are no whole numbers", "which is no whole number",
       [](H5File& f) {
         put(f, "/features", {3, 2}), put(f, "/labels", {3}, 0.5);
         f.set_attribute("/labels", "classes", Index{2});
       }},
      {"no classes", "lacks the attribute 'classes'",
       [](H5File& f) {
         put(f, "/features", {3, 2}), put_labels(f, "/labels", {0, 1, 1}, 0);
       }},
      {"too many classes", "'classes' of /labels is 1000000000000",
       [](H5File& f) {
         put(f, "/features", {3, 2}), put_labels(f, "/labels", {0, 1, 1}, 1000000000000);
       }},
      {"teacher", "/teacher [2, 1] is not a matrix of numbers [outputs, inputs] = [1, 2]",
       [](H5File& f) {
         put_pair(f), put(f, "/teacher", {2, 1});
       }},
      {"scale factor", "'scale_factor' of /features is 0",
       [](H5File& f) { put_pair(f), f.set_attribute("/features", "scale_factor", 0.0); }},
  };
}

std::vector<Wrong> WrongDatasetTest::test_set_defects() {
  return {
      {"width", "/test_features has 3 columns, /features has 2",
       [](H5File& f) {
         put_pair(f), put(f, "/test_features", {3, 3}), put(f, "/test_targets", {3, 1});
       }},
      {"alone", "has /test_targets but no /test_features",
       [](H5File& f) {
         put_pair(f), put(f, "/test_targets", {3, 1});
       }},
      {"unanswered", "has neither /test_targets",
       [](H5File& f) {
         put_pair(f), put(f, "/test_features", {3, 2});
       }},
      {"mixed", "mixes /labels and /targets",
       [](H5File& f) {
         put_pair(f), put(f, "/test_features", {3, 2});
         put_labels(f, "/test_labels", {0, 0, 0}, 1);
       }},
      {"outputs", "/test_targets has 2 targets, the training set 1",
       [](H5File& f) {
         put_pair(f), put(f, "/test_features", {3, 2}), put(f, "/test_targets", {3, 2});
       }},
      {"label", "/test_labels: row 2 holds the label 2, outside [0, 2)",
       [](H5File& f) {
         put(f, "/features", {3, 2}), put_labels(f, "/labels", {0, 1, 1}, 2);
         put(f, "/test_features", {3, 2}), put_labels(f, "/test_labels", {0, 1, 2}, 0);
       }},
  };
}

TEST_F(WrongDatasetTest, EveryDefectOfAHeaderIsNamed) {
  expect_messages(header_defects());
}

TEST_F(WrongDatasetTest, EveryDefectOfATestSetIsNamed) {
  expect_messages(test_set_defects());
}

TEST_F(WrongDatasetTest, TheFirstRowThatIsNotFiniteIsNamedOverAllRanks) {
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    for (const std::string set : {"/features", "/targets"}) {
      write_file([&](H5File& file) {
        std::vector<double> values(8 * 2, 1.0);
        values[7 * 2] = bad;
        values[3 * 2 + 1] = bad;
        put(file, set == "/features" ? "/targets" : "/features", {8, 2});
        file.write_rows(set, {8, 2}, {0, 8}, values);
      });
      expect_message(set + ": row 3, column 1 holds " + to_text(bad));
    }
  }
}

TEST_F(WrongDatasetTest, TheFirstLabelOutsideTheClassesIsNamedOverAllRanks) {
  for (const Index bad : {Index{-1}, Index{3}, Index{1} << 40}) {
    write_file([&](H5File& file) {
      put(file, "/features", {8, 2});
      put_labels(file, "/labels", {0, 1, 2, 0, bad, 1, bad, 0}, 3);
    });
    expect_message("/labels: row 4 holds the label " + std::to_string(bad) + ", outside [0, 3)");
  }
}

TEST_F(WrongDatasetTest, AFlippedByteIsFoundByTheChecksum) {
  write_file([](H5File& file) {
    put(file, "/features", {100, 20}, 1.25);
    put(file, "/targets", {100, 1});
  });
  on_root(MPI_COMM_WORLD, [&] {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    const double value = 1.25;
    const auto place = bytes.find(std::string(reinterpret_cast<const char*>(&value), sizeof value));
    ASSERT_NE(place, std::string::npos);
    file.seekp(static_cast<std::streamoff>(place + 800));
    file.put('\x11');
  });
  expect_message("cannot read data set /features");
}

TEST_F(WrongDatasetTest, PackingThatCannotBeAppliedIsRefusedByName) {
  const auto number = [](const char* set, const char* name, double value) {
    return std::tuple<const char*, const char*, H5Value>(set, name, value);
  };
  const std::vector<std::tuple<std::tuple<const char*, const char*, H5Value>, const char*>> wrong{
      {number("/features", "_FillValue", 0.5),
       "/features: row 0, column 0 holds 0.5, which is the _FillValue"},
      {number("/targets", "missing_value", 0.5), "/targets: row 0, column 0 holds 0.5"},
      {number("/features", "valid_min", 0.6), "is below the least valid number, 0.6"},
      {number("/targets", "valid_max", 0.4), "is above the largest valid number, 0.4"},
      {number("/features", "valid_range", 0.4), "'valid_range' of /features is not two numbers"},
      {number("/features", "scale_factor", 0.0), "'scale_factor' of /features is 0"},
      {number("/targets", "add_offset", HUGE_VAL), "'add_offset' of /targets is inf"},
      {{"/features", "_Unsigned", std::string("true")}, "'_Unsigned' of /features is not applied"},
      {{"/features", "scale_factor", std::string("0.1")}, "'scale_factor' of /features"}};
  for (const auto& [attribute, expected] : wrong) {
    const auto& [set, name, value] = attribute;
    write_file([&, set = set, name = name, value = value](H5File& f) {
      put_pair(f);
      f.set_attribute(set, name, value);
    });
    expect_message(expected);
  }
  write_file([](H5File& f) {
    put(f, "/features", {3, 2});
    put_labels(f, "/labels", {0, 1, 0}, 2);
    f.set_attribute("/labels", "scale_factor", 2.0);
  });
  expect_message("'scale_factor' of /labels has no meaning for classes");
}

}  // namespace
}  // namespace poise
