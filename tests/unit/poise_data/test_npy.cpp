#include "poise/import/npy.hpp"
#include "unit/poise_data/importer_fixture.hpp"

namespace poise::data {
namespace {

class NpyTest : public ImporterTest {
 protected:
  const std::string targets_ = npy_bytes("<f8", "(2,)", bytes_of<double>({0.5, 1.5}));
  std::string options_of(const std::string& features, const std::string& targets) const {
    return "-npy_features " + put("features.npy", features) + " -npy_targets " + put("targets.npy", targets);
  }
  template <class T>
  void expect_same(const std::string& type, const std::vector<T>& values) const {
    for (const bool big : {false, true}) {
      const std::string descr = (big ? ">" : "<") + type;
      const std::string bytes = npy_bytes(descr, "(2, 2)", bytes_of(values, big), false, big ? 2 : 1);
      const std::vector<double> expected(values.begin(), values.end());
      EXPECT_EQ(imported(options_of(bytes, targets_)).read_train({0, 2}).features, expected) << descr;
    }
  }
  void expect_npy_error(const std::string& features, const std::string& part) const {
    expect_error(options_of(features, targets_), part);
  }
};

const std::vector<double> four{1, 2, 3, 4.5};

TEST_F(NpyTest, EveryTypeAndByteOrderIsRead) {
  expect_same<float>("f4", {0.5F, -1, 2, 3e10F});
  expect_same<double>("f8", {0.1, -1, 2, 3e100});
  expect_same<std::int8_t>("i1", {1, -2, 127, -128});
  expect_same<std::int16_t>("i2", {1, -2, 300, -32768});
  expect_same<std::int32_t>("i4", {1, -2, 1 << 30, -70000});
  expect_same<std::int64_t>("i8", {1, -2, std::int64_t{1} << 52, -5});
  expect_same<std::uint8_t>("u1", {1, 2, 200, 255});
  expect_same<std::uint16_t>("u2", {1, 2, 300, 65535});
  expect_same<std::uint32_t>("u4", {1, 2, 3, 0xFFFFFFFF});
  expect_same<std::uint64_t>("u8", {1, 2, 3, std::uint64_t{1} << 63});
}

TEST_F(NpyTest, FortranOrderAndMoreDimensionsAndVersion3AreRead) {
  const std::string fortran = npy_bytes("<f8", "(2, 2)", bytes_of(four), true);
  EXPECT_EQ(imported(options_of(fortran, targets_)).read_train({0, 2}).features,
            (std::vector<double>{1, 3, 2, 4.5}));
  const std::string cube = npy_bytes("<f8", "(2, 2, 1)", bytes_of(four), false, 3);
  EXPECT_EQ(imported(options_of(cube, targets_)).read_train({0, 2}).features, four);
  const std::string column = npy_bytes("<f8", "(2,)", bytes_of<double>({7, 8}));
  EXPECT_EQ(imported(options_of(column, targets_)).read_train({0, 2}).features, (std::vector<double>{7, 8}));
}

TEST_F(NpyTest, LabelsAndCompressedFilesAreRead) {
  const std::string options = "-npy_features " +
                              put_compressed("f.npy.gz", npy_bytes("<f8", "(2, 2)", bytes_of(four))) +
                              " -npy_labels " + put("l.npy", npy_bytes("|u1", "(2,)", std::string{3, 0}));
  const Dataset data = imported(options);
  EXPECT_EQ(data.info().outputs, 4);
  EXPECT_EQ(data.read_train({0, 2}).labels, (std::vector<Index>{3, 0}));
  EXPECT_EQ(imported(options + " -test_rows 1").info().test_samples, 1);
}

TEST_F(NpyTest, RowsAreReadInPartsInAnyOrder) {
  const std::vector<double> six{1, 2, 3, 4, 5, 6};
  for (const bool fortran : {false, true})
    for (const bool compressed : {false, true}) {
      const std::string bytes = npy_bytes("<f8", "(3, 2)", bytes_of(six), fortran);
      const std::string path = compressed ? put_compressed("x.npy.gz", bytes) : put("x.npy", bytes);
      on_root(MPI_COMM_WORLD, [&] {
        const std::vector<double> all = read_npy(path).values;
        NpyReader reader{ByteReader(path)};
        EXPECT_EQ(reader.rows(), 3);
        for (const Range rows : {Range{1, 3}, Range{0, 1}, Range{2, 2}, Range{0, 3}})
          EXPECT_EQ(reader.read(rows).values,
                    std::vector<double>(all.begin() + 2 * rows.begin, all.begin() + 2 * rows.end));
        reader.expect_end();
      });
    }
}

TEST_F(NpyTest, EveryDefectOfAHeaderIsNamed) {
  const std::string data = bytes_of(four);
  expect_npy_error("", "ends in its NPY header");
  expect_npy_error("PK\x03\x04 an npz archive", "is not an NPY file");
  expect_npy_error(npy_bytes("<f8", "(2, 2)", data).substr(0, 40), "more than the file can hold");
  expect_npy_error(std::string("\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF{'descr'", 20),
                   "promises a header of 4294967295");
  expect_npy_error(npy_bytes("<c8", "(2, 2)", data), "type '<c8'");
  expect_npy_error(npy_bytes("|O", "(2, 2)", data), "type '|O'");
  expect_npy_error(npy_bytes("<f16", "(2, 2)", data), "type '<f16'");
  expect_npy_error(npy_bytes("", "(2, 2)", data), "holds values of type ''");
  expect_npy_error(npy_bytes("<f8", "(2, -2)", data), "unreadable shape '(2, -2)'");
  expect_npy_error(npy_bytes("<f8", "(2, 99999999999999999999)", data), "unreadable shape");
  expect_npy_error(npy_bytes("<f8", "2, 2", data), "no readable shape");
  expect_npy_error(npy_bytes("<f8", "()", data), "is a single number");
  expect_npy_error(npy_bytes("<f8", "(0, 2)", ""), "is empty: its shape is 0");
  expect_npy_error(npy_bytes("<f8", "(2, 1, 2)", data, true), "numpy.ascontiguousarray");
  std::string keyless = npy_bytes("<f8", "(2, 2)", data);
  keyless.replace(keyless.find("fortran"), 7, "fartron");
  expect_npy_error(keyless, "lacks 'fortran_order'");
}

TEST_F(NpyTest, EveryDefectOfTheDataIsNamed) {
  const std::string data = bytes_of(four);
  expect_npy_error(npy_bytes("<f8", "(2, 2)", data).substr(0, 158), "ends in its data");
  expect_npy_error(npy_bytes("<f8", "(2, 2)", data + "x"), "bytes follow its last value");
  expect_npy_error(npy_bytes("<f8", "(4611686018427387904, 4611686018427387904)", data),
                   "more than the file");
  expect_npy_error(npy_bytes("<f8", "(4, 1)", data), "has 2 rows");
  expect_npy_error(npy_bytes("<f8", "(2, 2)", bytes_of<double>({1, 2, 3, HUGE_VAL})),
                   "row 1 (from 0) holds inf");
  const std::string features = "-npy_features " + put("f.npy", npy_bytes("<f8", "(2, 2)", data));
  expect_error(features, "give one of -npy_targets and -npy_labels");
  expect_error(features + " -npy_labels " + put("l.npy", targets_), "row 0 (from 0): the label 0.5 is not");
  expect_error(features + " -npy_labels " + put("l.npy", npy_bytes("<f8", "(2, 2)", data)), "has 2 columns");
}

}  // namespace
}  // namespace poise::data
