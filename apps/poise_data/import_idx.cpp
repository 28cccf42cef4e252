#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "poise/base/error.hpp"
#include "poise_data/idx.hpp"
#include "poise_data/import.hpp"
#include "poise_data/labels.hpp"
#include "poise_data/output.hpp"
#include "poise_data/samples.hpp"

namespace poise::data {
namespace {

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
  o.labels = options.text("labels", "", "IDX file of their labels");
  o.test_images = options.text("test_images", "", "IDX file of the images of the test set");
  o.test_labels = options.text("test_labels", "", "IDX file of their labels");
  o.pixel_scale = options.real(
      "pixel_scale", 1.0 / 255, {1e-300, 1e300},
      "factor that readers apply to the stored bytes (attribute scale_factor); 1 leaves 0 to 255");
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
    throw bad_input(label_path + ": holds more than one byte a label: are -images and -labels swapped?");
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
    throw bad_input(fmt::format("{}: its images have {} pixels, those of {} {}", o.test_images,
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
