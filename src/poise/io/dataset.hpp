#pragma once

#include <mpi.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
inline namespace io {

/// How to read the stored numbers of a data set, from its attributes by the CF conventions (8.1, 2.5.1):
/// value = scale_factor × stored + add_offset. A stored number that is _FillValue or missing_value, or
/// outside valid_min, valid_max, valid_range, means that the value is missing.
struct Packing {
  double scale_factor = 1.0, add_offset = 0.0;
  std::vector<double> missing;  ///< _FillValue, missing_value; like the limits, in the type of the data set
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();

  /// Collective. Throws bad_input, naming data set and attribute, for attributes that cannot be applied:
  /// `_Unsigned`, texts, a scale_factor that is 0 or not finite, or, if the numbers are classes, any factor
  /// or offset.
  static Packing read(const H5File& file, const std::string& data_set, bool classes);

  [[nodiscard]] bool scales() const { return scale_factor != 1.0 || add_offset != 0.0; }
  [[nodiscard]] bool has_missing() const;
  /// Why a stored number means a missing value, such as "is below the least valid number, 0"; empty if it
  /// does not.
  [[nodiscard]] std::string why_missing(double stored) const;
  /// The value of a stored number; NaN if it is missing.
  [[nodiscard]] double unpacked(double stored) const;
};

/// The data schema this version reads and writes (root attribute `schema`).
inline constexpr const char* data_schema = "poise-data-1";
/// The schema of graphs: /features, /labels and /targets are as in the data schema, one row a node, and the
/// label -1 means that a node has none (poise/graph/graph_dataset.hpp reads the rest).
inline constexpr const char* graph_schema = "poise-graph-1";
/// More classes than this are treated as a mistake, because each class becomes a one-hot column.
inline constexpr Index most_classes = 1'000'000;

/// The content of the header of a data file.
struct DatasetInfo {
  std::string path, name, source, license;  ///< name: the attribute, else the file name without its ending
  Index samples = 0, validation_samples = 0, test_samples = 0;
  Index inputs = 0;   ///< columns of /features
  Index outputs = 0;  ///< columns of /targets, or number of classes (attribute `classes` of /labels)
  bool classification = false;
  bool has_answers = true;               ///< whether the file has /targets or /labels; see Answers
  std::string feature_type = "float64";  ///< as stored, for example "uint8"
  double scale_factor = 1.0;  ///< attribute that DatasetWriter sets: stored value x factor = feature
  /// How stored numbers of each set are unpacked: features, and targets or labels.
  Packing features_packing, answers_packing, validation_features_packing, validation_answers_packing,
      test_features_packing, test_answers_packing;
  /// Names of the columns and classes; empty if the file has none.
  std::vector<std::string> input_names, target_names, class_names;
  bool has_teacher = false;  ///< /teacher, the linear map that made the targets or labels
};

/// What the header says of one set of a data file.
struct SetInfo {
  Index samples;
  const Packing &features, &answers;
};
/// The set with a prefix: "" for training, "validation_" or "test_". Refers to `info`.
[[nodiscard]] SetInfo set_info(const DatasetInfo& info, const std::string& prefix);

/// Samples [begin, begin + count) of the training, validation or test set.
struct SampleBlock {
  Index begin = 0, count = 0;
  Index inputs = 0, outputs = 0;
  /// inputs x count, column-major: one column a sample (the file's rows)
  std::vector<double> features = {};
  std::vector<double> targets = {};  ///< outputs x count: regression values, or one-hot classes
  std::vector<Index> labels = {};    ///< count, empty for regression
};

/// What a reader does about missing numbers (NaN, _FillValue and so on, see Packing). `keep_answers`: it
/// refuses missing features alone.
enum class Missing { refuse, keep, keep_answers };
/// Whether a data file needs /targets or /labels. Data that a trained model is applied to may have none: then
/// `outputs` is 0.
enum class Answers { required, optional };
/// With Missing::keep, the label of a row whose label is missing.
inline constexpr Index missing_label = std::numeric_limits<Index>::min();

/// Reader of the data schema (data/README.md, "Schema"): /features [n, d]; /targets [n, q] or [n], or /labels
/// [n] with the attribute `classes`; optional /validation_features and /test_features, each with its targets
/// or labels, /teacher [q, d], and the names /input_names [d], /target_names [q], /class_names [classes].
/// Packed numbers are unpacked (Packing). A file without the attribute `schema` is read, too; a different
/// schema is an error. Ranks read only their own rows.
class Dataset {
 public:
  /// Collective on `comm`, which must outlive this object. Reads and validates only the header. Throws
  /// bad_input, the same on every rank, naming file, data set, cause and cure: no such file, not HDF5, or a
  /// data set that is missing, empty, or has a wrong shape, type, or number of rows or columns.
  ///
  /// Missing::keep: missing numbers are read as NaN, missing labels as missing_label, and no one-hot targets
  /// are made. Labels outside [0, classes) are still refused.
  /// `schema`: data_schema or graph_schema.
  Dataset(MPI_Comm comm, const std::string& path, Missing missing = Missing::refuse,
          Answers answers = Answers::required, const std::string& schema = data_schema);

  [[nodiscard]] const DatasetInfo& info() const { return info_; }

  /// Collective. Every rank passes its own rows, which may be empty. Throws bad_input, the same on every
  /// rank, for rows outside the set, values that are not finite, and labels outside [0, classes): the message
  /// names the data set and the first such row over all ranks.
  [[nodiscard]] SampleBlock read(Range rows, const std::string& prefix) const;  ///< prefix: see set_info
  [[nodiscard]] SampleBlock read_train(Range rows) const { return read(rows, ""); }
  [[nodiscard]] SampleBlock read_validation(Range rows) const { return read(rows, "validation_"); }
  [[nodiscard]] SampleBlock read_test(Range rows) const { return read(rows, "test_"); }
  /// The labels of training samples alone; empty for a regression.
  [[nodiscard]] std::vector<Index> read_train_labels(Range rows) const;
  /// Collective. The whole teacher [outputs, inputs], row-major, on every rank; empty if the file has none.
  /// Throws bad_input, the same on every rank, if it holds values that are not finite.
  [[nodiscard]] std::vector<double> read_teacher() const;

 private:
  void read_numbers(const H5File& file, Range rows, const std::string& name, const Packing& packing,
                    Index columns, bool keep, std::vector<double>& values) const;
  void read_labels(const H5File& file, Range rows, const std::string& name, const Packing& packing,
                   SampleBlock& block) const;
  [[nodiscard]] bool keeps_answers() const { return missing_ != Missing::refuse; }
  /// How a user can remove missing values.
  [[nodiscard]] std::string cure() const;
  MPI_Comm comm_;
  Missing missing_;
  std::string schema_;
  DatasetInfo info_;
};

/// Warnings about the numbers of samples per class, each with the likely cause: classes without a training
/// sample, or with samples in only one of training and test set. `test`: empty without a test set; `names`:
/// names of the classes, empty if they have none. Not collective.
[[nodiscard]] std::vector<std::string> class_warnings(const std::vector<Index>& train,
                                                      const std::vector<Index>& test,
                                                      const std::vector<std::string>& names);

/// "3" or "3 (cat)".
[[nodiscard]] std::string class_text(Index number, const std::vector<std::string>& names);

}  // namespace io
}  // namespace poise
