#include "poise_data/graph_sets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/base/permutation.hpp"
#include "poise/import/csv.hpp"
#include "poise/import/edge_list.hpp"

namespace poise::data {
namespace {

constexpr std::uint8_t no_set = node_set_names.size();

bool is_set(const std::string& word) {
  return std::find(node_set_names.begin(), node_set_names.end(), word) != node_set_names.end();
}

std::uint8_t set_of_word(const CsvField& field, const std::string& at) {
  if (field.text.empty()) return no_set;
  const auto* const found = std::find(node_set_names.begin(), node_set_names.end(), field.text);
  if (found == node_set_names.end())
    throw bad_input(fmt::format("{}{} is not a set: write {}, or nothing for a node of no set", at,
                                quoted(field.text), "train, validation or test"));
  return static_cast<std::uint8_t>(found - node_set_names.begin());
}

/// Reads the table line by line.
class SetsReader {
 public:
  SetsReader(const std::string& path, const NodeNumbers& numbers, const std::vector<bool>& known)
      : path_(path), numbers_(numbers), known_(known), lines_(known.size(), 0) {}

  /// By splits, the sets of all nodes.
  [[nodiscard]] std::vector<std::vector<std::uint8_t>> read() {
    CsvRecords records(path_, 0, "#%");
    Index number = 0;
    bool first = true;
    for (std::vector<CsvField> fields; records.next(fields); first = false) {
      if (first) begin(fields, records.line());
      if (first && !is_node_number(fields[0].text, number) && !is_set(fields[1].text)) continue;  // a header
      read_line(fields, records.line());
    }
    for (std::size_t split = 0; split < sets_.size(); ++split)
      if (std::find(sets_[split].begin(), sets_[split].end(), 0) == sets_[split].end())
        throw bad_input(fmt::format("{}: split {} (from 0) has no node of the set train: name at least one",
                                    path_, split));
    if (sets_.empty()) throw bad_input(path_ + ": holds no line: each line has a node and its set");
    return std::move(sets_);
  }

 private:
  [[nodiscard]] std::string at(Index line) const { return fmt::format("{}: line {}: ", path_, line); }

  void begin(const std::vector<CsvField>& fields, Index line) {
    if (fields.size() < 2)
      throw bad_input(at(line) + "has one field; a line has a node and its set, or one set for each split");
    sets_.assign(fields.size() - 1, std::vector<std::uint8_t>(known_.size(), no_set));
  }

  void read_line(const std::vector<CsvField>& fields, Index line) {
    if (fields.size() != sets_.size() + 1)
      throw bad_input(fmt::format("{}has {} fields, the first line {}: every line needs a set for each split",
                                  at(line), fields.size(), sets_.size() + 1));
    Index number = 0;
    if (!is_node_number(fields[0].text, number))
      throw bad_input(fmt::format("{}{} is not the number of a node", at(line), quoted(fields[0].text)));
    const Index found = numbers_.find(number);
    if (found < 0) throw numbers_.missing(number, at(line));
    const auto node = static_cast<std::size_t>(found);
    if (lines_[node] > 0)
      throw bad_input(fmt::format("{}node {} stands on line {}, too: keep one line for each node", at(line),
                                  number, lines_[node]));
    lines_[node] = line;
    for (std::size_t split = 0; split < sets_.size(); ++split) {
      sets_[split][node] = set_of_word(fields[split + 1], at(line));
      if (sets_[split][node] != no_set && !known_[node])
        throw bad_input(
            fmt::format("{}the label or target of node {} is not known: take it out of the set, "
                        "or fill it in",
                        at(line), number));
    }
  }

  std::string path_;
  const NodeNumbers& numbers_;
  const std::vector<bool>& known_;
  std::vector<Index> lines_;  // by nodes; 0: not named until now
  std::vector<std::vector<std::uint8_t>> sets_;
};

}  // namespace

NodeSplits declare_node_splits(Options& options, bool shares) {
  const Options::Category category(options, "splits");
  NodeSplits o;
  o.splits =
      options.integer("splits", 10, {1, 1000}, "random splits into training, validation and test nodes");
  if (shares) {
    o.train_share = options.real("train_share", 0.05, {0, 1}, "share of the nodes that a split trains on");
    o.validation_share = options.real("validation_share", 0.1, {0, 1},
                                      "share of the validation nodes; the others are test nodes");
  }
  o.seed = static_cast<std::uint64_t>(options.integer("seed", 0, {0}, "seed of the random numbers"));
  return o;
}

void require_shares(const NodeSplits& o) {
  if (o.train_share + o.validation_share > 1.0)
    throw bad_input("the shares -train_share and -validation_share are more than 1 together");
}

SetOf random_sets(const NodeSplits& o, Index nodes) {
  const auto share = [&](double of) {
    return static_cast<Index>(std::llround(of * static_cast<double>(nodes)));
  };
  const Index train = std::max<Index>(1, share(o.train_share));
  const Index validation = std::min(nodes - train, share(o.validation_share));
  return [=, order = Permutation(nodes, o.seed, Stream::graph_split)](Index split, Index node) {
    const Index place = order.place(split, node);
    return place < train ? NodeSet::train : place < train + validation ? NodeSet::validation : NodeSet::test;
  };
}

SetOf random_sets(const NodeSplits& o, const std::vector<bool>& marked) {
  std::vector<Index> places(marked.size(), -1);  // among the marked nodes
  Index count = 0;
  for (std::size_t node = 0; node < marked.size(); ++node)
    if (marked[node]) places[node] = count++;
  return [places = std::move(places), sets = random_sets(o, count)](Index split,
                                                                    Index node) -> std::optional<NodeSet> {
    const Index place = places[static_cast<std::size_t>(node)];
    if (place < 0) return std::nullopt;
    return sets(split, place);
  };
}

SetsOfFile read_sets(const std::string& path, const NodeNumbers& numbers, const std::vector<bool>& known) {
  auto sets = SetsReader(path, numbers, known).read();
  const auto splits = static_cast<Index>(sets.size());
  return {splits, [sets = std::move(sets)](Index split, Index node) -> std::optional<NodeSet> {
            const std::uint8_t set = sets[static_cast<std::size_t>(split)][static_cast<std::size_t>(node)];
            if (set == no_set) return std::nullopt;
            return static_cast<NodeSet>(set);
          }};
}

}  // namespace poise::data
