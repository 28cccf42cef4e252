#pragma once

#include <string>
#include <vector>

#include "poise/base/error.hpp"
#include "poise/base/process_grid.hpp"
#include "poise/import/csv.hpp"

namespace poise::data {

struct Edge {
  Index source = 0, target = 0;  ///< nodes, as the file numbers them
  double weight = 1.0;
  Index line = 0;  ///< of the file, from 1
};

/// Reads the edges of a text file, plain or .gz, one after the other, with bounded memory. Serial. The file
/// is one of these:
///  - A list (SNAP, CSV): a line for each edge, with the fields source, target and, in all lines or in none,
///    weight. Nodes count from 0. Separators are found as those of tables (CsvReader); lines that begin with
///    # or % are comments; the first line is a header if neither of its nodes is a number.
///  - A Matrix Market file, "%%MatrixMarket matrix coordinate pattern|real|integer general|symmetric": the
///    square adjacency matrix, whose rows and columns count from 1.
/// Throws bad_input that names line, cause and cure: for lines with other fields, nodes that are not whole
/// numbers or are outside a matrix, weights that are not positive numbers, matrices of another kind or with
/// more or fewer entries than they state.
class EdgeReader {
 public:
  /// `weights`: false if the weights do not count; they are then not looked at.
  explicit EdgeReader(const std::string& path, bool weights = true);

  /// False at the end of the file.
  bool next(Edge& edge);
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_matrix() const { return is_matrix_; }
  /// The rows of the matrix.
  [[nodiscard]] Index nodes() const { return nodes_; }
  /// Whether the file states that every edge leads to and fro.
  [[nodiscard]] bool symmetric() const { return symmetric_; }
  /// Whether edges have weights that count.
  [[nodiscard]] bool weighted() const { return weights_ && fields_expected_ == 3; }
  /// The number of the first node in the file.
  [[nodiscard]] Index first_number() const { return is_matrix_ ? 1 : 0; }
  /// The beginning of a message about a line.
  [[nodiscard]] std::string at(Index line) const;

 private:
  void read_banner(const std::string& banner);
  void read_size();
  void read_first_line();
  [[nodiscard]] Error no_edge() const;
  void require_fields() const;
  [[nodiscard]] Index node_of(const CsvField& field) const;
  [[nodiscard]] double weight_of(const CsvField& field) const;

  std::string path_;
  bool weights_;
  bool is_matrix_ = false, symmetric_ = false;
  Index nodes_ = 0;
  Index entries_ = 0, read_ = 0;  // of the matrix, stated and read
  CsvRecords records_;
  std::vector<CsvField> fields_;
  std::size_t fields_expected_ = 0;
  bool has_fields_ = false;  // fields_ holds an edge that has not been given
};

/// Whether a text is a whole number from 0 on, which it then sets; 2.0 and 2 are the same.
[[nodiscard]] bool is_node_number(const std::string& text, Index& number);

}  // namespace poise::data
