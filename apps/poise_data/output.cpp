#include "poise_data/output.hpp"

#include <filesystem>
#include <system_error>

#include "poise/base/error.hpp"
#include "poise_data/labels.hpp"

namespace poise::data {

Output declare_output(Options& options) {
  const Options::Category category(options, "output");
  Output output;
  output.path = options.text("out", "", "the data file to write (HDF5)");
  output.force = options.flag("force", false, "replace the file if it exists");
  output.name = options.text("name", "", "name of the data set (default: name of the file)");
  output.source = options.text("source", "", "where the data comes from, kept in the file");
  output.license = options.text("license", "", "the licence of the data, kept in the file");
  if (output.name.empty()) output.name = std::filesystem::path(output.path).stem().string();
  return output;
}

void require_output(const Output& output) {
  if (output.path.empty()) throw bad_input("option -out is missing: name the data file to write");
  const auto folder = std::filesystem::path(output.path).parent_path();
  std::error_code code;
  if (!folder.empty() && !std::filesystem::is_directory(folder, code))
    throw bad_input(output.path + (code && code != std::errc::no_such_file_or_directory
                                       ? ": cannot look into its folder: " + code.message()
                                       : ": no such folder: make it first"));
  if (!output.force && std::filesystem::exists(output.path))
    throw bad_input(output.path + ": exists already; -force true replaces it");
}

DatasetInfo write_split(DatasetContent content, const TestSplit& split, const Output& output) {
  if (content.test.count > 0 && split.is_given())
    throw bad_input("a test set is given: leave -test_rows and -test_fraction out");
  split_samples(content, split);
  warn_of_classes(content);
  content.name = output.name;
  content.source = output.source;
  content.license = output.license;
  return write_dataset(output.path, content);
}

std::string summary_of(const DatasetInfo& info) {
  return info.path + ": " + std::to_string(info.samples) + " training and " +
         plural(info.test_samples, "test sample") + ", " + plural(info.inputs, "feature") + " (" +
         info.feature_type + "), " + plural(info.outputs, info.classification ? "class" : "target");
}

}  // namespace poise::data
