#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "poise/io/dataset.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
inline namespace io {

/// The header of the training set, or of the set whose names have the prefix validation_ or test_.
struct SetHeader {
  std::string prefix;
  std::optional<H5Shape> features, targets, labels;  ///< empty if the file has no such data set
  Packing features_packing, answers_packing;
  std::optional<Index> classes;
};

/// The header of a data file, before it is validated.
struct DatasetHeader {
  std::string path, schema, name, source, license;  ///< empty if the file has no such attribute
  SetHeader train, validation, test;
  std::optional<H5Shape> teacher;
  std::optional<std::vector<std::string>> input_names, target_names, class_names;
  std::vector<std::string> objects;  ///< names of all groups and data sets
  std::uint64_t bytes = 0;           ///< size of the file
};

/// Collective on the communicator of `file`.
[[nodiscard]] DatasetHeader read_dataset_header(const H5File& file);

/// Not collective. Throws bad_input, naming data set, cause and cure, unless the header conforms to the
/// schema. Of a graph file it looks at the nodes alone.
[[nodiscard]] DatasetInfo validated(const DatasetHeader& header, Answers answers = Answers::required,
                                    const std::string& schema = data_schema);

}  // namespace io
}  // namespace poise
