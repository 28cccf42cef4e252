#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace base {

/// The content of a checkpoint, without the way it is stored: every folder adds its own entries, and the io
/// folder writes them. Names are absolute paths ("/parameters/A"). Matrices are borrowed and must live until
/// the snapshot is written; everything else is copied.
struct Snapshot {
  /// A matrix that is distributed over the ranks in contiguous blocks, in rank order (a block may be empty).
  struct Matrix {
    std::string name;
    Index rows;       ///< of the whole matrix
    Index columns;    ///< of the whole matrix
    bool by_columns;  ///< whether `part` is a range of columns
    Range part;       ///< this rank's block
    const double*
        data;  ///< line i of the block (row, or if by_columns column, part.begin + i) is at i * stride
    Index stride;
    std::string axes = {};  ///< what the indices count, one word for each: "output state"
  };
  /// A small array that all ranks hold; rank 0's array is written.
  struct Array {
    std::string name;
    std::vector<Index> dims;
    std::vector<double> values;
    std::string axes = {};
  };
  /// A list of texts that all ranks hold; rank 0's list is written.
  struct Texts {
    std::string name;
    std::vector<std::string> values;
    std::string axes = {};
  };
  /// A number or text that is stored as an attribute of `group`.
  struct Scalar {
    std::string group;
    std::string name;
    OptionValue value;
  };

  /// Adds this rank's rows `part` of a rows x columns matrix, row-major; `stride` entries from row to row.
  void add_rows(std::string name, Index rows, Index columns, Range part, const double* data, Index stride,
                std::string axes = {}) {
    matrices.push_back({std::move(name), rows, columns, false, part, data, stride, std::move(axes)});
  }
  /// Adds this rank's columns `part` of a rows x columns matrix, one column after the other (so the block is
  /// a row-major block of rows of the transpose); `stride` entries from column to column.
  void add_columns(std::string name, Index rows, Index columns, Range part, const double* data, Index stride,
                   std::string axes = {}) {
    matrices.push_back({std::move(name), rows, columns, true, part, data, stride, std::move(axes)});
  }
  void add_array(std::string name, std::vector<Index> dims, std::vector<double> values,
                 std::string axes = {}) {
    arrays.push_back({std::move(name), std::move(dims), std::move(values), std::move(axes)});
  }
  void add_texts(std::string name, std::vector<std::string> values, std::string axes = {}) {
    texts.push_back({std::move(name), std::move(values), std::move(axes)});
  }
  void add_real(std::string group, std::string name, double value) {
    scalars.push_back({std::move(group), std::move(name), value});
  }
  void add_integer(std::string group, std::string name, Index value) {
    scalars.push_back({std::move(group), std::move(name), value});
  }
  void add_text(std::string group, std::string name, std::string value) {
    scalars.push_back({std::move(group), std::move(name), std::move(value)});
  }

  std::vector<Matrix> matrices;
  std::vector<Array> arrays;
  std::vector<Texts> texts;
  std::vector<Scalar> scalars;
  std::vector<std::pair<std::string, std::string>> config;  ///< the options, from Options::resolved()
  OptionKinds config_kinds;                                 ///< their kinds, from Options::kinds()
};

}  // namespace base
}  // namespace poise
