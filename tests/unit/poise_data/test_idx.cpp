#include "unit/poise_data/importer_fixture.hpp"

namespace poise::data {
namespace {

class IdxTest : public ImporterTest {
 protected:
  const std::string pixels_ = {0, 1, 2, static_cast<char>(255), 10, 20, 30, 40, 5, 6, 7, 8};
  const std::string labels_ = {2, 0, 1};
  std::string options_of(const std::string& images, const std::string& labels) const {
    return "-images " + put("images", images) + " -labels " + put("labels", labels);
  }
  std::string good() const { return options_of(idx_bytes({3, 2, 2}, pixels_), idx_bytes({3}, labels_)); }
  void expect_images_error(const std::string& images, const std::string& part) const {
    expect_error(options_of(images, idx_bytes({3}, labels_)), part);
  }
  void expect_labels_error(const std::string& labels, const std::string& part) const {
    expect_error(options_of(idx_bytes({3, 2, 2}, pixels_), labels), part);
  }
};

TEST_F(IdxTest, ImagesAreStoredAsBytesAndReadAsNumbersFromZeroToOne) {
  const Dataset data = imported(good());
  EXPECT_EQ(data.info().feature_type, "uint8");
  EXPECT_EQ(data.info().inputs, 4);
  EXPECT_EQ(data.info().outputs, 3);
  const SampleBlock block = data.read_train({0, 3});
  EXPECT_EQ(block.labels, (std::vector<Index>{2, 0, 1}));
  for (std::size_t i = 0; i < pixels_.size(); ++i)
    EXPECT_EQ(block.features[i], static_cast<std::uint8_t>(pixels_[i]) * (1.0 / 255));
  EXPECT_EQ(block.features[3], 1.0);
}

TEST_F(IdxTest, ThePixelScaleAndTheClassesCanBeChosen) {
  const Dataset data = imported(good() + " -pixel_scale 1 -classes 10");
  EXPECT_EQ(data.info().outputs, 10);
  EXPECT_EQ(data.read_train({0, 1}).features, (std::vector<double>{0, 1, 2, 255}));
}

TEST_F(IdxTest, CompressedFilesAndATestSetAreRead) {
  const std::string test = " -test_images " + put_compressed("t.gz", idx_bytes({1, 2, 2}, "abcd")) +
                           " -test_labels " + put_compressed("l.gz", idx_bytes({1}, std::string{5}));
  const Dataset data = imported(good() + test);
  EXPECT_EQ(data.info().outputs, 6);
  EXPECT_EQ(data.info().test_samples, 1);
  EXPECT_EQ(data.read_test({0, 1}).features[0], 'a' * (1.0 / 255));
}

TEST_F(IdxTest, AFileOfManyBlocksIsCopiedWhole) {
  const std::uint32_t n = 3000;
  std::string pixels;
  for (std::uint32_t i = 0; i < n * 1000; ++i) pixels.push_back(static_cast<char>(i * 2654435761U >> 24));
  const Dataset data =
      imported(options_of(idx_bytes({n, 10, 100}, pixels), idx_bytes({n}, std::string(n, 1))));
  const SampleBlock block = data.read_train({0, n});
  for (std::size_t i = 0; i < pixels.size(); ++i)
    ASSERT_EQ(block.features[i], static_cast<std::uint8_t>(pixels[i]) * (1.0 / 255)) << i;
}

TEST_F(IdxTest, EveryDefectOfAnImageFileIsNamed) {
  const std::string images = idx_bytes({3, 2, 2}, pixels_);
  expect_images_error("", "ends in its IDX header (0 of 4 bytes)");
  expect_images_error(images.substr(0, 10), "ends in its IDX header");
  expect_images_error(images.substr(0, 27), "ends in its data (11 of 12 bytes)");
  expect_images_error(idx_bytes({3, 2, 20}, pixels_),
                      "promises 3 x 2 x 20 bytes, which is more than the file");
  expect_images_error(images + "x", "bytes follow its last item");
  expect_images_error("P5 2 2 255 ....", "is not an IDX file");
  expect_images_error(idx_bytes({3, 2, 2}, pixels_, 13), "of type 13");
  expect_images_error(idx_bytes({3, 0, 2}, ""), "holds nothing: its header says 3 x 0 values");
  expect_images_error(idx_bytes({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, pixels_), "promises 4294967295 bytes");
  expect_images_error(idx_bytes({2, 0x80000000, 0x80000000, 0x80000000, 0x80000000}, pixels_), "promises");
  expect_images_error(idx_bytes({3}, labels_), "are -images and -labels swapped?");
  expect_images_error(idx_bytes({2, 2, 2}, pixels_.substr(0, 8)), "the files do not belong together");
}

TEST_F(IdxTest, EveryDefectOfALabelFileIsNamed) {
  expect_labels_error(idx_bytes({4}, "abcd"), "has 4 labels");
  expect_labels_error(idx_bytes({3, 2}, "abcdef"), "are -images and -labels swapped?");
  expect_error(good() + " -classes 2", "label 0 (from 0): the label 2 is not below 2");
  expect_error(good() + " -test_images x", "-test_images and -test_labels together");
  expect_error("-images x", "option -labels is missing");
  expect_error(good() + " -pixel_scale 0", "-pixel_scale");
  expect_error(good() + " -test_images " + put("t", idx_bytes({1, 3, 1}, "abc")) + " -test_labels " +
                   put("l", idx_bytes({1}, "a")),
               "its images have 3 pixels, but the images of");
}

TEST_F(IdxTest, ATruncatedCompressedFileLeavesNothingBehind) {
  // Compressed zeros: the header is correct; only while the output is written, the data turn out to be too
  // short.
  const std::uint32_t n = 5000;
  std::string bytes;
  const std::string whole = put_compressed("whole.gz", idx_bytes({n, 1000}, std::string(n * 1000, 0)));
  on_root(MPI_COMM_WORLD, [&] {
    std::ifstream file(whole, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
    bytes.resize(bytes.size() * 9 / 10);
  });
  expect_error("-images " + put("cut.gz", bytes) + " -labels " + put("l", idx_bytes({n}, std::string(n, 0))),
               "truncated");
}

}  // namespace
}  // namespace poise::data
