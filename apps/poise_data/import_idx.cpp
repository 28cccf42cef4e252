#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "poise/base/error.hpp"
#include "poise/base/process_grid.hpp"
#include "poise/import/reading.hpp"
#include "poise_data/poise_data.hpp"
#include "poise_data/samples.hpp"

namespace poise::data {
namespace {

/// An IDX file of bytes (the format of MNIST), plain or .gz, read item by item, so that memory stays small.
/// Serial. The header is four bytes 0 0 type dimensions, then each extent as a big-endian 32-bit number.
class IdxReader {
 public:
  /// Reads and validates the header: magic number, bytes as values, no empty extent, and no more data than
  /// the file can hold. Throws bad_input.
  explicit IdxReader(const std::string& path);

  [[nodiscard]] const std::string& path() const { return file_.path(); }
  [[nodiscard]] const std::vector<Index>& shape() const { return shape_; }
  [[nodiscard]] Index items() const { return shape_.front(); }
  /// Bytes per item: the product of all extents but the first.
  [[nodiscard]] Index item_size() const { return item_size_; }
  /// The next `count` items; throws bad_input if the file ends before, or goes on after the last.
  [[nodiscard]] std::vector<std::uint8_t> next(Index count);

 private:
  ByteReader file_;
  std::vector<Index> shape_;
  Index item_size_ = 1;
  Index position_ = 0;
};

IdxReader::IdxReader(const std::string& path) : file_(path) {
  std::array<std::uint8_t, 4> head{};
  file_.read_exact(head.data(), head.size(), "IDX header");
  const auto [zero, also_zero, type, dimensions] = head;
  if (zero != 0 || also_zero != 0 || dimensions == 0)
    throw bad_input(path + ": is not an IDX file: it does not begin with the bytes 0 0 type dimensions");
  constexpr std::uint8_t unsigned_byte = 0x08;
  if (type != unsigned_byte)
    throw bad_input(fmt::format(
        "{}: is not an IDX file of unsigned bytes (type 8), but of type {}: convert it, to NPY for example "
        "(import -npy_features)",
        path, type));
  std::string promise;
  for (int i = 0; i < dimensions; ++i) {
    file_.read_exact(head.data(), head.size(), "IDX header");
    const Index extent = (Index{head[0]} << 24) | (Index{head[1]} << 16) | (Index{head[2]} << 8) | head[3];
    promise += fmt::format("{}{}", promise.empty() ? "" : " x ", extent);
    if (extent == 0) throw bad_input(path + ": holds nothing: its header says " + promise + " values");
    // Compared at each step, so that the product cannot overflow.
    file_.expect_room(static_cast<std::uint64_t>(i == 0 ? extent : shape_.front() * item_size_),
                      static_cast<std::uint64_t>(i == 0 ? 1 : extent), promise + " bytes");
    shape_.push_back(extent);
    if (i > 0) item_size_ *= extent;
  }
}

std::vector<std::uint8_t> IdxReader::next(Index count) {
  std::vector<std::uint8_t> values(static_cast<std::size_t>(count * item_size_));
  file_.read_exact(values.data(), values.size(), "data");
  position_ += count;
  if (position_ == items()) file_.expect_end("last item");
  return values;
}

struct IdxOptions {
  std::string images, labels, test_images, test_labels;
  double pixel_scale = 1.0;
  LabelOptions classes;
  Output output;
};

IdxOptions declare(Options& options) {
  const Options::Category category(options, "idx");
  IdxOptions o;
  o.images = options.text("images", "", "IDX file of images, plain or .gz");
  o.labels = options.text("labels", "", "IDX file of the labels of -images");
  o.test_images = options.text("test_images", "", "IDX file of the images of the test set");
  o.test_labels = options.text("test_labels", "", "IDX file of the labels of -test_images");
  o.pixel_scale = options.real(
      "pixel_scale", 1.0 / 255, {1e-300, 1e300},
      "factor that readers apply to the stored bytes (attribute scale_factor); with 1 pixels are 0 to 255");
  o.classes = LabelOptions::from(options);
  o.output = declare_output(options);
  return o;
}

void validate(const IdxOptions& o) {
  if (o.labels.empty()) throw bad_input("option -labels is missing: the IDX file of the labels of -images");
  if (o.test_images.empty() != o.test_labels.empty())
    throw bad_input("give -test_images and -test_labels together or not at all");
  require_output(o.output);
}

/// Images and labels of one set; the images are read later, block by block.
struct ImageSet {
  IdxReader images;
  RawLabels raw;
  std::vector<Index> labels;
};

ImageSet open_set(const std::string& image_path, const std::string& label_path) {
  ImageSet set{IdxReader(image_path), {}, {}};
  IdxReader labels(label_path);
  if (set.images.shape().size() < 2)
    throw bad_input(image_path + ": holds single bytes, not images: are -images and -labels swapped?");
  if (labels.item_size() != 1)
    throw bad_input(label_path + ": holds more than one byte per label: are -images and -labels swapped?");
  if (set.images.items() != labels.items())
    throw bad_input(fmt::format("{}: has {} labels, {} has {} images: the files do not belong together",
                                label_path, labels.items(), image_path, set.images.items()));
  for (const std::uint8_t label : labels.next(labels.items())) {
    set.raw.where.push_back(fmt::format("{}: label {} (from 0)", label_path, set.raw.texts.size()));
    set.raw.texts.push_back(std::to_string(label));
  }
  return set;
}

/// Class numbers of both sets.
DatasetContent number(const IdxOptions& o, ImageSet& train, std::optional<ImageSet>& test) {
  DatasetContent content;
  number_labels(train.raw, test ? test->raw : RawLabels{}, o.classes, content);
  content.train.count = static_cast<Index>(content.train.labels.size());
  content.test.count = static_cast<Index>(content.test.labels.size());
  warn_of_classes(content);
  train.labels = content.train.labels;
  if (test) test->labels = content.test.labels;
  return content;
}

DatasetInfo describe(const IdxOptions& o, const ImageSet& train, const std::optional<ImageSet>& test,
                     const DatasetContent& classes) {
  DatasetInfo info;
  info.path = o.output.path;
  info.name = o.output.name;
  info.source = o.output.source;
  info.license = o.output.license;
  info.samples = train.images.items();
  info.inputs = train.images.item_size();
  info.classification = true;
  info.outputs = classes.train.outputs;
  info.class_names = classes.class_names;
  info.feature_type = "uint8";
  info.scale_factor = o.pixel_scale;
  if (!test) return info;
  if (test->images.item_size() != info.inputs)
    throw bad_input(fmt::format("{}: its images have {} pixels, but the images of {} have {}", o.test_images,
                                test->images.item_size(), o.images, info.inputs));
  info.test_samples = test->images.items();
  return info;
}

template <class Write>
void copy_images(ImageSet& set, Index outputs, const Write& write) {
  constexpr Index block_values = 1 << 20;
  const Index block_rows = std::max<Index>(1, block_values / set.images.item_size());
  for (Index begin = 0; begin < set.images.items(); begin += block_rows) {
    SampleBlock block{
        begin, std::min(block_rows, set.images.items() - begin), set.images.item_size(), outputs, {}, {}, {}};
    const auto bytes = set.images.next(block.count);
    block.features.assign(bytes.begin(), bytes.end());
    block.labels.assign(set.labels.begin() + begin, set.labels.begin() + begin + block.count);
    write(block);
  }
}

}  // namespace

DatasetInfo import_idx(Options& options, bool declare_only) {
  const IdxOptions o = declare(options);
  if (declare_only) return {};
  options.reject_unknown();
  validate(o);

  ImageSet train = open_set(o.images, o.labels);
  std::optional<ImageSet> test;
  if (!o.test_images.empty()) test = open_set(o.test_images, o.test_labels);
  const DatasetContent classes = number(o, train, test);
  const DatasetInfo info = describe(o, train, test, classes);
  DatasetWriter writer(MPI_COMM_SELF, info);
  copy_images(train, info.outputs, [&](const SampleBlock& block) { writer.write_train(block); });
  if (test) copy_images(*test, info.outputs, [&](const SampleBlock& block) { writer.write_test(block); });
  writer.commit();
  return info;
}

}  // namespace poise::data
