#include "poise/import/edge_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <sstream>

#include "poise/base/error.hpp"

namespace poise::data {
namespace {

constexpr std::size_t longest_banner = 1024;

/// The first line of a file in small letters, if it is that of a Matrix Market file, else an empty text.
std::string banner_of(const std::string& path) {
  TextStream text(path);
  std::string line;
  for (int c = 0; (c = text.get()) >= 0 && c != '\n' && line.size() < longest_banner;)
    line.push_back(static_cast<char>(std::tolower(c)));
  return line.starts_with("%%matrixmarket") ? line : "";
}

}  // namespace

bool is_node_number(const std::string& text, Index& number) {
  constexpr double largest = 9007199254740992.0;  // 2^53: whole numbers beyond it are rounded
  double value = 0.0;
  if (!is_number(text, value) || !(value >= 0.0 && value < largest) || std::floor(value) != value)
    return false;
  number = static_cast<Index>(value);
  return true;
}

EdgeReader::EdgeReader(const std::string& path, bool weights)
    : path_(path),
      weights_(weights),
      is_matrix_(!banner_of(path).empty()),
      records_(path, is_matrix_ ? ' ' : '\0', is_matrix_ ? "%" : "#%") {
  if (is_matrix_) {
    read_banner(banner_of(path));
    read_size();
  } else {
    read_first_line();
  }
}

std::string EdgeReader::at(Index line) const {
  return fmt::format("{}: line {}: ", path_, line);
}

void EdgeReader::read_banner(const std::string& banner) {
  std::istringstream words(banner);
  std::string mark, object, format, field, symmetry;
  words >> mark >> object >> format >> field >> symmetry;
  if (object != "matrix" || format != "coordinate")
    throw bad_input(at(1) + quoted(banner) +
                    " is no sparse matrix: a graph is a 'matrix coordinate' (scipy.io.mmwrite of a sparse "
                    "matrix writes one)");
  if (field != "pattern" && field != "real" && field != "integer")
    throw bad_input(at(1) + "entries of the kind " + quoted(field) +
                    " are no weights: they must be pattern, real or integer");
  if (symmetry != "general" && symmetry != "symmetric")
    throw bad_input(at(1) + "the symmetry " + quoted(symmetry) +
                    " is not that of a graph: write the matrix as general or symmetric");
  symmetric_ = symmetry == "symmetric";
  fields_expected_ = field == "pattern" ? 2 : 3;
}

void EdgeReader::read_size() {
  Index columns = 0;
  if (!records_.next(fields_))
    throw bad_input(path_ + ": ends before the size of the matrix: it is truncated");
  if (fields_.size() != 3 || !is_node_number(fields_[0].text, nodes_) ||
      !is_node_number(fields_[1].text, columns) || !is_node_number(fields_[2].text, entries_))
    throw bad_input(at(records_.line()) +
                    "is not the size of the matrix: give the numbers of rows, columns and entries");
  if (nodes_ != columns || nodes_ == 0)
    throw bad_input(
        fmt::format("{}a matrix of {} x {} is not the adjacency matrix of a graph, which has one "
                    "row and one column for each node",
                    at(records_.line()), nodes_, columns));
}

void EdgeReader::read_first_line() {
  has_fields_ = records_.next(fields_);
  if (!has_fields_) throw no_edge();
  fields_expected_ = fields_.size();
  if (fields_expected_ != 2 && fields_expected_ != 3)
    throw bad_input(fmt::format("{}has {}; an edge has two or three: source, target, weight",
                                at(records_.line()), plural(static_cast<Index>(fields_.size()), "field")));
  double value = 0.0;
  has_fields_ = is_number(fields_[0].text, value) || is_number(fields_[1].text, value);
}

Error EdgeReader::no_edge() const {
  return bad_input(path_ + ": holds no edge: an edge is a line with two nodes, source and target");
}

void EdgeReader::require_fields() const {
  if (fields_.size() != fields_expected_)
    throw bad_input(fmt::format("{}has {}; {} {}: every edge needs the same", at(records_.line()),
                                plural(static_cast<Index>(fields_.size()), "field"),
                                is_matrix_ ? "the kind of the matrix says" : "the lines above have",
                                fields_expected_));
}

bool EdgeReader::next(Edge& edge) {
  if (!has_fields_ && !records_.next(fields_)) {
    if (is_matrix_ && read_ != entries_)
      throw bad_input(fmt::format("{}: states {} entries, but has {}: it is truncated, or its size is wrong",
                                  path_, entries_, read_));
    if (read_ == 0 && !is_matrix_) throw no_edge();
    return false;
  }
  has_fields_ = false;
  edge.line = records_.line();
  if (is_matrix_ && read_ == entries_)
    throw bad_input(
        fmt::format("{}is behind the last of the {} entries that the matrix states: remove it, "
                    "or correct its size",
                    at(edge.line), entries_));
  ++read_;
  require_fields();
  edge.source = node_of(fields_[0]);
  edge.target = node_of(fields_[1]);
  edge.weight = weighted() ? weight_of(fields_[2]) : 1.0;
  return true;
}

Index EdgeReader::node_of(const CsvField& field) const {
  Index number = 0;
  if (!is_node_number(field.text, number))
    throw bad_input(fmt::format("{}{} is not the number of a node: nodes are whole numbers from {} on",
                                at(records_.line()), quoted(field.text), first_number()));
  if (is_matrix_ && (number < 1 || number > nodes_))
    throw bad_input(fmt::format("{}node {} is outside the matrix, whose rows are 1 to {}: correct it",
                                at(records_.line()), number, nodes_));
  return number;
}

double EdgeReader::weight_of(const CsvField& field) const {
  double weight = 0.0;
  if (is_number(field.text, weight) && weight > 0.0 && std::isfinite(weight)) return weight;
  throw bad_input(
      fmt::format("{}the weight {} is not a positive number: correct it, leave the edge out, or "
                  "leave all weights out by -edge_weights false",
                  at(records_.line()), quoted(field.text)));
}

}  // namespace poise::data
