#pragma once

#include <mpi.h>

#include <memory>
#include <string>
#include <vector>

#include "poise/io/dataset.hpp"

namespace poise {
inline namespace io {

/// Writes a file of the data schema block by block, so that memory stays bounded. The file has a temporary
/// name next to `path` until `commit` renames it, so that a program that fails leaves no half-written file.
class DatasetWriter {
 public:
  /// Collective on `comm`. `info` gives the shapes, name, source and licence (empty texts are left out);
  /// `feature_type` is "uint8" (deflated) or "float64". Both have checksums. Throws bad_input if the file
  /// cannot be created.
  /// `schema`: data_schema, or graph_schema, whose rows are nodes.
  DatasetWriter(MPI_Comm comm, DatasetInfo info, std::string schema = data_schema);
  /// Removes the temporary file unless committed.
  ~DatasetWriter();
  DatasetWriter(const DatasetWriter&) = delete;
  DatasetWriter& operator=(const DatasetWriter&) = delete;

  /// Collective. Every rank passes its own block, which may be empty (then `begin` may be unset). Features
  /// are stored as passed: with a scale factor other than 1 pass them before scaling. For a classification
  /// the labels are written.
  void write_train(const SampleBlock& block) { write(block, "/"); }
  void write_validation(const SampleBlock& block) { write(block, "/validation_"); }
  void write_test(const SampleBlock& block) { write(block, "/test_"); }
  /// Collective. Writes a matrix [rows, columns], row-major, into its own data set; rank 0's values count.
  /// `axes`: see axes_attribute.
  void write_matrix(const std::string& name, Index rows, Index columns, const std::vector<double>& values,
                    const std::string& axes);
  /// The file, for data sets of its schema that this class does not know.
  [[nodiscard]] H5File& file();
  /// Collective. Flushes to disk and gives the file its name, replacing an older file.
  void commit();

 private:
  struct State;
  void write_names(const std::string& name, const std::vector<std::string>& names, const std::string& axis);
  void create_sets(Index rows, const std::string& prefix);
  void write(const SampleBlock& block, const std::string& prefix);
  MPI_Comm comm_;
  DatasetInfo info_;
  std::string schema_;
  std::unique_ptr<State> state_;
};

/// A whole data set in memory. With 0 outputs it has features alone.
struct DatasetContent {
  std::string name, source, license;
  std::vector<std::string> input_names, target_names, class_names;  ///< empty: not written
  SampleBlock train, validation, test;  ///< outputs of `train` is the number of targets or classes
};

/// Not collective: only the calling rank writes. Features are written as uint8 if all of them are integers in
/// [0, 255], else as float64. Returns the header. Throws like DatasetWriter.
DatasetInfo write_dataset(const std::string& path, const DatasetContent& content);

}  // namespace io
}  // namespace poise
