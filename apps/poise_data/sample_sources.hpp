#pragma once

#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/import/csv.hpp"
#include "poise/io/dataset_writer.hpp"
#include "poise_data/samples.hpp"

namespace poise::data {

// Files that have one row for each sample. The functions are serial. For the nodes of a graph (`of_nodes`)
// answers may be missing, a file may have answers alone, and no row is left out, because edges name nodes by
// their rows.

/// A table.
struct TableOptions {
  std::string path, target_path, label_column, target_columns, drop_columns;
  CsvFormat format;
  LabelOptions labels;
  bool unlabelled = false;
  bool of_nodes = false;
  std::string node_column;  ///< of_nodes: the column that numbers the nodes; empty: rows count from 0
};

/// Declares -csv -label_column -target_columns -target_csv -drop_columns -unlabelled, of nodes -node_column,
/// and how tables and classes are written.
[[nodiscard]] TableOptions declare_table(Options& options, bool of_nodes = false);

/// Throws bad_input unless the options say where the answers are.
void validate(const TableOptions& table);

/// Reads the table; a test set, if `test_path` names one, with the targets of `test_target_path`. Throws
/// bad_input for all errors of the files.
[[nodiscard]] DatasetContent read_samples(const TableOptions& table, const std::string& test_path = {},
                                          const std::string& test_target_path = {});

/// The column -node_column. Throws bad_input unless it has different whole numbers.
[[nodiscard]] std::vector<Index> read_node_numbers(const TableOptions& table);

/// NPY arrays.
struct ArrayOptions {
  std::string features, targets, labels;
  LabelOptions of_labels;
  bool unlabelled = false;
};

/// Declares -npy_features -npy_targets -npy_labels -unlabelled, and how classes are written.
[[nodiscard]] ArrayOptions declare_arrays(Options& options, bool of_nodes = false);

/// Throws bad_input unless the options say where the answers are.
void validate(const ArrayOptions& arrays);

/// Reads the arrays; throws bad_input for all errors of the files.
[[nodiscard]] DatasetContent read_samples(const ArrayOptions& arrays);

}  // namespace poise::data
