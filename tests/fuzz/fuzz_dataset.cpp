// Data files: the fuzzer changes a good data file.
#include <algorithm>
#include <cmath>

#include "change_file.hpp"
#include "poise/io/dataset.hpp"
#include "support.hpp"

namespace poise::fuzz {
namespace {

void write_set(H5File& file, const std::string& prefix, Index rows, bool classification, int deflate) {
  const std::vector<double> features(static_cast<std::size_t>(rows * 3), 0.5);
  file.write_rows(prefix + "features", {rows, 3}, {0, rows}, std::span<const double>(features), deflate);
  file.set_attribute(prefix + "features", "scale_factor", 0.25);
  if (classification) {
    const std::vector<Index> labels(static_cast<std::size_t>(rows), 1);
    file.write_rows(prefix + "labels", {rows}, {0, rows}, std::span<const Index>(labels), deflate);
    file.set_attribute(prefix + "labels", "classes", Index{2});
  } else {
    file.write_rows(prefix + "targets", {rows, 2}, {0, rows},
                    std::span(features).first(static_cast<std::size_t>(rows * 2)));
  }
}

void check_block(const DatasetInfo& info, const SampleBlock& block, Index count) {
  promise(block.features.size() == static_cast<std::size_t>(info.inputs * count));
  promise(block.targets.size() == static_cast<std::size_t>(info.outputs * count));
  promise(
      std::all_of(block.features.begin(), block.features.end(), [](double x) { return std::isfinite(x); }));
  promise(std::all_of(block.targets.begin(), block.targets.end(), [](double x) { return std::isfinite(x); }));
  promise(std::all_of(block.labels.begin(), block.labels.end(),
                      [&](Index c) { return 0 <= c && c < info.outputs; }));
}

}  // namespace
}  // namespace poise::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace poise;
  FuzzedDataProvider bytes(data, size);
  H5File out = H5File::create_in_memory("fuzz");
  const int kind = bytes.ConsumeIntegralInRange(0, 3);
  out.set_attribute("/", "schema", std::string(data_schema));
  fuzz::write_set(out, "/", 5, kind % 2 == 0, kind);
  fuzz::write_set(out, "/test_", 2, kind % 2 == 0, 0);
  out.write_rows("/teacher", {2, 3}, {0, 2}, std::vector<double>(6, 1.0));
  fuzz::change_file(out, bytes,
                    {"/features", "/targets", "/labels", "/test_features", "/test_targets", "/test_labels",
                     "/teacher", "/", "/group", "/features/x"},
                    {"schema", "name", "source", "license", "scale_factor", "classes", "x"});
  const fuzz::File file(out.image());
  fuzz::accepts([&] {
    const Dataset set(MPI_COMM_SELF, file.path());
    const DatasetInfo& info = set.info();
    fuzz::check_block(info, set.read_train({0, info.samples}), info.samples);
    fuzz::check_block(info, set.read_test({0, info.test_samples}), info.test_samples);
    fuzz::promise(set.read_teacher().size() ==
                  static_cast<std::size_t>(info.has_teacher ? info.outputs * info.inputs : 0));
  });
  return 0;
}
