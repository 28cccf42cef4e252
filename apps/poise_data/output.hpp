#pragma once

#include <string>

#include "poise/base/options.hpp"
#include "poise/io/dataset.hpp"
#include "poise_data/samples.hpp"

namespace poise::data {

/// Where a new data set goes, and what is said about it.
struct Output {
  std::string path;  ///< -out
  std::string name, source, license;
  bool force = false;  ///< -force: replace an existing file
};

/// Declares -out -force -name -source -license. Not collective.
[[nodiscard]] Output declare_output(Options& options);

/// Throws bad_input if -out is missing or its folder is, or if the file exists and -force is not set. Not
/// collective; call before the work begins.
void require_output(const Output& output);

/// Cuts the samples into training and test samples, unless there are test samples, warns of classes without
/// samples, and writes them where -out says. Throws bad_input if both test samples and a split are given. Not
/// collective.
[[nodiscard]] DatasetInfo write_split(DatasetContent content, const TestSplit& split, const Output& output);

/// One line that says what was written.
[[nodiscard]] std::string summary_of(const DatasetInfo& info);

}  // namespace poise::data
