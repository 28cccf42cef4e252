#include <gtest/gtest.h>
#include <hdf5.h>

#include <fstream>

#include "poise/io/dataset.hpp"
#include "poise/io/dataset_writer.hpp"
#include "unit/io/dataset_fixture.hpp"

namespace poise {
namespace {

/// A value that differs in every place and is not an integer.
double value_at(Index row, Index column) {
  return static_cast<double>(row) + 0.001 * static_cast<double>(column) + 0.5;
}

SampleBlock make_block(Range rows, Index inputs, Index outputs, bool classification) {
  SampleBlock block{rows.begin, rows.size(), inputs, outputs, {}, {}, {}};
  for (Index i = rows.begin; i < rows.end; ++i) {
    for (Index j = 0; j < inputs; ++j) block.features.push_back(value_at(i, j));
    for (Index k = 0; k < outputs; ++k)
      block.targets.push_back(classification ? (i % outputs == k ? 1.0 : 0.0) : -value_at(i, k));
    if (classification) block.labels.push_back(i % outputs);
  }
  return block;
}

TEST_F(DatasetTest, EveryRankReadsWhatWasWrittenAlsoWhenSomeHaveNoRows) {
  for (const Index n : {1, 2, 3, 50}) {
    for (const bool classification : {false, true}) {
      DatasetInfo info;
      info.path = path_;
      info.name = "places";
      info.source = "this test";
      info.license = "none";
      info.samples = n;
      info.test_samples = 2;
      info.inputs = 4;
      info.outputs = 3;
      info.classification = classification;
      DatasetWriter writer(MPI_COMM_WORLD, info);
      writer.write_train(make_block(mine(n), 4, 3, classification));
      writer.write_test(make_block(mine(2), 4, 3, classification));
      writer.commit();

      const Dataset data(MPI_COMM_WORLD, path_);
      EXPECT_EQ(data.info().name, "places");
      EXPECT_EQ(data.info().license, "none");
      EXPECT_EQ(data.info().samples, n);
      EXPECT_EQ(data.info().test_samples, 2);
      EXPECT_EQ(data.info().outputs, 3);
      EXPECT_EQ(data.info().classification, classification);
      EXPECT_EQ(data.info().feature_type, "float64");
      const Range last{world_rank() == world_size() - 1 ? 0 : n, n};  // all rows on the last rank
      for (const Range rows : {mine(n), last}) {
        const SampleBlock block = data.read_train(rows);
        const SampleBlock expected = make_block(rows, 4, 3, classification);
        EXPECT_EQ(block.begin, rows.begin);
        EXPECT_EQ(block.count, rows.size());
        EXPECT_EQ(block.features, expected.features);
        EXPECT_EQ(block.targets, expected.targets);
        EXPECT_EQ(block.labels, expected.labels);
      }
      EXPECT_EQ(data.read_test(mine(2)).features, make_block(mine(2), 4, 3, classification).features);
    }
  }
}

TEST_F(DatasetTest, SmallIntegersAreStoredAsBytesAndComeBackTheSame) {
  DatasetContent content;
  content.train = {0, 2, 3, 1, {0, 255, 7, 8, 9, 10}, {0.5, 1.5}, {}};
  on_root(MPI_COMM_WORLD, [&] { (void)write_dataset(path_, content); });
  const Dataset data(MPI_COMM_WORLD, path_);
  EXPECT_EQ(data.info().feature_type, "uint8");
  EXPECT_EQ(data.read_train({0, 2}).features, content.train.features);
  EXPECT_EQ(data.read_train({0, 2}).targets, content.train.targets);
}

TEST_F(DatasetTest, BlocksWrittenInStepsMakeOneSet) {
  const Index n = 37;
  DatasetInfo info;
  info.path = path_;
  info.samples = n;
  info.inputs = 2;
  info.outputs = 1;
  DatasetWriter writer(MPI_COMM_WORLD, info);
  const Range own = mine(n);
  for (Index step = 0; step < n; ++step) {  // one row at a time; ranks that are done pass no row
    const Index row = std::min(own.begin + step, own.end);
    writer.write_train(make_block({row, std::min(row + 1, own.end)}, 2, 1, false));
  }
  writer.commit();
  EXPECT_EQ(Dataset(MPI_COMM_WORLD, path_).read_train({0, n}).features,
            make_block({0, n}, 2, 1, false).features);
}

TEST_F(DatasetTest, TheScaleFactorMultipliesTheFeatures) {
  write_file([](H5File& file) {
    put(file, "/features", {3, 2}, 51);
    file.set_attribute("/features", "scale_factor", 1.0 / 255);
    put(file, "/targets", {3, 1});
  });
  for (const double x : Dataset(MPI_COMM_WORLD, path_).read_train(mine(3)).features)
    EXPECT_EQ(x, 51 * (1.0 / 255));
}

TEST_F(DatasetTest, ATeacherIsWholeOnEveryRankAndEmptyWhereThereIsNone) {
  write_file([](H5File& file) {
    put(file, "/features", {3, 2});
    put(file, "/targets", {3, 1});
  });
  EXPECT_TRUE(Dataset(MPI_COMM_WORLD, path_).read_teacher().empty());
  write_file([](H5File& file) {
    put(file, "/features", {3, 2});
    put(file, "/targets", {3, 1});
    put(file, "/teacher", {1, 2}, 7);
  });
  const Dataset data(MPI_COMM_WORLD, path_);
  EXPECT_TRUE(data.info().has_teacher);
  EXPECT_EQ(data.read_teacher(), std::vector<double>(2, 7.0));
}

TEST_F(DatasetTest, AFileWithoutSchemaAndNameIsReadAndNamedAfterItself) {
  write_file([](H5File& file) {
    put(file, "/features", {3, 2});
    put(file, "/targets", {3, 1});
  });
  const Dataset data(MPI_COMM_WORLD, path_);
  EXPECT_EQ(data.info().name, "data");
  EXPECT_EQ(data.info().samples, 3);
  EXPECT_EQ(data.info().test_samples, 0);
  EXPECT_EQ(data.read_test({0, 0}).count, 0);
}

TEST_F(DatasetTest, AWriterThatIsNotCommittedLeavesNoFile) {
  on_root(MPI_COMM_WORLD, [&] { std::ofstream(path_) << "the older file"; });
  {
    DatasetInfo info;
    info.path = path_;
    info.samples = info.inputs = info.outputs = 1;
    const DatasetWriter writer(MPI_COMM_WORLD, info);
  }
  on_root(MPI_COMM_WORLD, [&] {
    std::string text;
    std::getline(std::ifstream(path_), text);
    EXPECT_EQ(text, "the older file");
    EXPECT_FALSE(std::filesystem::exists(path_ + ".tmp"));
  });
}

TEST_F(DatasetTest, AMissingFileIsNamed) {
  expect_message("does not exist");
}

TEST_F(DatasetTest, AFileThatIsNotHdf5IsNamed) {
  on_root(MPI_COMM_WORLD, [&] { std::ofstream(path_) << "1,2,3\n"; });
  expect_message("is not an HDF5 file");
}

TEST_F(DatasetTest, RowsOutsideTheSetAreAnError) {
  write_file([](H5File& file) {
    put(file, "/features", {3, 2});
    put(file, "/targets", {3, 1});
  });
  const Dataset data(MPI_COMM_WORLD, path_);
  for (const Range rows : {Range{0, 4}, Range{-1, 2}, Range{2, 1}})
    EXPECT_NE(message_of([&] { (void)data.read_train(rows); }).find("/features, which has 3"),
              std::string::npos);
}

TEST_F(DatasetTest, PackedNumbersAreUnpackedEachSetByItsOwnAttributes) {
  write_file([](H5File& f) {
    put(f, "/features", {3, 2}, 4.0);
    put(f, "/targets", {3}, 4.0);
    put(f, "/test_features", {2, 2}, 4.0);
    put(f, "/test_targets", {2, 1}, 4.0);
    f.set_attribute("/features", "scale_factor", 0.5);
    f.set_attribute("/features", "add_offset", 290.0);
    f.set_attribute("/targets", "add_offset", -1.0);
    f.set_attribute("/test_targets", "scale_factor", 2.0);
  });
  const Dataset data(MPI_COMM_WORLD, path_);
  for (const double x : data.read_train(mine(3)).features) EXPECT_EQ(x, 292.0);
  for (const double y : data.read_train(mine(3)).targets) EXPECT_EQ(y, 3.0);
  for (const double x : data.read_test(mine(2)).features) EXPECT_EQ(x, 4.0);
  for (const double y : data.read_test(mine(2)).targets) EXPECT_EQ(y, 8.0);
}

/// A file of single precision features 1, `second`, with a double attribute.
void put_single(H5File& file, const std::string& path, float second, const char* name, double attribute) {
  file.close();
  const H5Handle h5(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
  const auto write = [&](const char* set_name, const std::vector<float>& values, bool marked) {
    const std::vector<hsize_t> dims{values.size(), 1};
    const H5Handle space(H5Screate_simple(2, dims.data(), nullptr), H5Sclose),
        one(H5Screate(H5S_SCALAR), H5Sclose);
    const H5Handle set(
        H5Dcreate2(h5.get(), set_name, H5T_IEEE_F32LE, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
        H5Dclose);
    H5Dwrite(set.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    if (!marked) return;
    const H5Handle mark(H5Acreate2(set.get(), name, H5T_IEEE_F64LE, one.get(), H5P_DEFAULT, H5P_DEFAULT),
                        H5Aclose);
    H5Awrite(mark.get(), H5T_NATIVE_DOUBLE, &attribute);
  };
  write("/features", {1.0F, second}, true);
  write("/targets", {1.0F, 2.0F}, false);
}

TEST_F(DatasetTest, DoubleAttributesAreComparedAsSinglePrecisionStoresThem) {
  for (const double fill : {1e20, -9999.9, 0.1}) {
    for (const char* name : {"_FillValue", "missing_value"}) {
      on_root(MPI_COMM_WORLD, [&] {
        H5File file = H5File::create_alone(path_);
        put_single(file, path_, static_cast<float>(fill), name, fill);
      });
      expect_message("/features: row 1, column 0 holds");
    }
  }
  on_root(MPI_COMM_WORLD, [&] {
    H5File file = H5File::create_alone(path_);
    put_single(file, path_, 10.1F, "valid_max", 10.1);
  });
  EXPECT_NO_THROW((void)Dataset(MPI_COMM_WORLD, path_).read_train(mine(2)));
}

TEST_F(DatasetTest, PackedNumbersAreUnpackedAndMissingOnesAreNamed) {
  const auto write = [&](bool fill) {
    write_file([&](H5File& file) {
      const std::vector<double> stored{0, 10, fill ? -99.0 : 20.0, 30};
      file.write_rows("/features", {2, 2}, {0, 2}, std::span(stored));
      file.set_attribute("/features", "scale_factor", 0.5);
      file.set_attribute("/features", "add_offset", 241.0);
      file.set_attribute("/features", "_FillValue", -99.0);
      put(file, "/targets", {2}, 1.5);  // a single target needs no second dimension
    });
  };
  write(false);
  {
    const Dataset data(MPI_COMM_WORLD, path_);
    EXPECT_EQ(data.info().outputs, 1);
    EXPECT_EQ(data.read_train({0, 2}).features, (std::vector<double>{241, 246, 251, 256}));
    EXPECT_EQ(data.read_train({0, 2}).targets, (std::vector<double>{1.5, 1.5}));
  }
  write(true);
  expect_message("row 1, column 0");
}

/// A data set of an enumeration of 0 and 1 with these names, as h5py stores truth values.
void put_enumeration(H5File& file, const char* name, const std::vector<hsize_t>& dims, const char* zero,
                     const char* one, const std::vector<signed char>& values) {
  const H5Handle type(H5Tenum_create(H5T_STD_I8LE), H5Tclose);
  for (const auto& [text, value] : {std::pair<const char*, signed char>{zero, 0}, {one, 1}})
    H5Tenum_insert(type.get(), text, &value);
  const H5Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), H5Sclose);
  const H5Handle set(
      H5Dcreate2(file.id(), name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
  H5Dwrite(set.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
}

TEST_F(DatasetTest, TruthValuesAreNumbersAndOtherEnumerationsAreNot) {
  write_file([](H5File& file) {
    put_enumeration(file, "/features", {2, 2}, "FALSE", "TRUE", {0, 1, 1, 1});
    put_enumeration(file, "/labels", {2}, "FALSE", "TRUE", {1, 0});
    file.set_attribute("/labels", "classes", Index{2});
  });
  const Dataset data(MPI_COMM_WORLD, path_);
  EXPECT_EQ(data.info().feature_type, "bool");
  EXPECT_EQ(data.read_train({0, 2}).features, (std::vector<double>{0, 1, 1, 1}));
  EXPECT_EQ(data.read_train({0, 2}).labels, (std::vector<Index>{1, 0}));
  write_file([](H5File& file) {
    put_enumeration(file, "/features", {2, 2}, "cat", "dog", {0, 1, 1, 1});
    put(file, "/targets", {2, 1});
  });
  expect_message("holds neither reals nor integers");
}

TEST_F(DatasetTest, ClassesStoredAsRealNumbersAreRead) {
  write_file([](H5File& file) {
    put(file, "/features", {3, 2});
    put(file, "/labels", {3}, 1.0);
    file.set_attribute("/labels", "classes", Index{2});
  });
  EXPECT_EQ(Dataset(MPI_COMM_WORLD, path_).read_train({0, 3}).labels, (std::vector<Index>{1, 1, 1}));
}

}  // namespace
}  // namespace poise
