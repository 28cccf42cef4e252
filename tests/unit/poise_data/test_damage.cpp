#include <random>

#include "unit/poise_data/importer_fixture.hpp"

namespace poise::data {
namespace {

/// A damaged file is either read or refused with bad_input.
class DamageTest : public ImporterTest {
 protected:
  static constexpr int trials = 200;

  static std::string damaged(std::string bytes, std::mt19937& random) {
    const auto pick = [&](std::size_t n) {
      return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
    };
    if (pick(3) == 0) bytes.resize(pick(bytes.size()));
    for (std::size_t flips = pick(4); flips > 0 && !bytes.empty(); --flips)
      bytes[pick(std::min<std::size_t>(bytes.size(), 160))] ^= static_cast<char>(1U << pick(8));
    if (pick(8) == 0) bytes += bytes.substr(bytes.size() / 2);
    return bytes;
  }
  /// `options` ends in the option that takes the damaged file.
  void survive(const std::string& options, const std::string& good, bool compressed) const {
    std::mt19937 random(compressed ? 2 : 1);  // the same on every rank
    int refused = 0;
    for (int trial = 0; trial < trials; ++trial) {
      const std::string bytes = damaged(good, random);
      const std::string path = compressed ? put_compressed("damaged", bytes) : put("damaged", bytes);
      try {
        const Dataset data = imported(options + path);
        (void)data.read_train({0, data.info().samples});
      } catch (const Error& error) {
        ++refused;
        ASSERT_EQ(error.code(), ExitCode::bad_input) << "trial " << trial << ": " << error.what();
        ASSERT_TRUE(error.collective());
      }
    }
    EXPECT_GT(refused, trials / 10);
  }
};

TEST_F(DamageTest, ADamagedTableNeverCrashesTheImporter) {
  std::string text;
  for (int i = 0; i < 12; ++i) text += std::to_string(i) + ".25,-3e" + std::to_string(i) + ",1\n";
  for (const bool compressed : {false, true}) survive("-label_column 2 -csv ", text, compressed);
}

TEST_F(DamageTest, ADamagedArrayNeverCrashesTheImporter) {
  const std::string targets =
      put("t.npy", npy_bytes("<i4", "(6,)", bytes_of<std::int32_t>({1, 2, 3, 4, 5, 6})));
  const std::string good = npy_bytes("<i4", "(6, 2)", bytes_of(std::vector<std::int32_t>(12, 3)));
  for (const bool compressed : {false, true})
    survive("-npy_targets " + targets + " -npy_features ", good, compressed);
}

TEST_F(DamageTest, ADamagedImageFileNeverCrashesTheImporter) {
  const std::string labels = put("l.idx", idx_bytes({6}, std::string(6, 1)));
  for (const bool compressed : {false, true})
    survive("-labels " + labels + " -images ", idx_bytes({6, 2, 2}, std::string(24, 9)), compressed);
}

TEST_F(DamageTest, DamagedCompressedBytesNeverCrashTheImporter) {
  std::string bytes;
  const std::string path = put_compressed("good.gz", "1,2,0\n3,4,1\n5,6,0\n7,8,1\n9,10,2\n");
  on_root(MPI_COMM_WORLD, [&] {
    std::ifstream file(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  });
  survive("-label_column 2 -csv ", broadcast(MPI_COMM_WORLD, bytes), false);
}

TEST_F(ImporterTest, CopiesWithoutMissingRowsStillRefuseInvalidLabels) {
  const std::string path = folder_ / "in.h5";
  const auto write = [&](Index odd) {
    on_root(MPI_COMM_WORLD, [&] {
      H5File file = H5File::create_alone(path);
      file.write_rows("/features", {4, 1}, {0, 4}, std::vector<double>{0.5, 1.5, 2.5, 3.5});
      const std::vector<Index> labels{0, odd, 2, 0};
      file.write_rows("/labels", {4}, {0, 4}, std::span(labels));
      file.set_attribute("/labels", "classes", Index{4});
      file.set_attribute("/labels", "_FillValue", Index{-9});
      file.close();
    });
  };
  const std::string options = "-h5 " + path + " -drop_missing true";
  for (const Index odd : {Index{4}, Index{-1}, Index{1} << 40}) {
    write(odd);
    expect_error(options, "row 1 holds the label " + std::to_string(odd) + ", outside [0, 4)");
  }
  write(-9);
  const Dataset data = imported(options + " -map_labels true");
  EXPECT_EQ(data.read_train({0, 3}).labels, (std::vector<Index>{0, 1, 0}));
  EXPECT_EQ(data.read_train({0, 3}).features, (std::vector<double>{0.5, 2.5, 3.5}));
  EXPECT_EQ(data.info().class_names, (std::vector<std::string>{"0", "2"}));
}

}  // namespace
}  // namespace poise::data
