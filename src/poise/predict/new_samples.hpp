#pragma once

#include <mpi.h>

#include <string>
#include <vector>

#include "poise/io/dataset.hpp"
#include "poise/run/training_data.hpp"

namespace poise {
inline namespace predict {

/// What a network takes and gives.
struct NetworkSides {
  DataNames names;
  Index inputs = 0, outputs = 0;
  Index classes = 0;  ///< 0: a regression
};

/// Some samples in the form that the network takes.
struct NewSamples {
  Index begin = 0, count = 0;
  std::vector<double> inputs = {};   ///< inputs of the network x count, column-major, in the network's order
  std::vector<char> usable = {};     ///< count; 0: an input is missing, and the inputs are 0
  std::vector<char> answered = {};   ///< count; 0: the file does not say the right answer
  std::vector<double> targets = {};  ///< targets x count; empty for classes
  std::vector<Index> labels = {};  ///< count, by the network's numbers of the classes; empty for a regression
};

/// The place of each of `wanted` in `names`. Equal lists need no different names. Throws bad_input, which
/// names what is missing or stands twice: "`where` has no `what` 'x'". Not collective.
[[nodiscard]] std::vector<Index> match_names(const std::vector<std::string>& wanted,
                                             const std::vector<std::string>& names, const std::string& where,
                                             const std::string& what);

/// Reads samples for a trained network, block by block. Columns and classes are matched by their names if
/// file and network both have names, else by their places.
class NewSampleReader {
 public:
  /// Which samples of the file: /features, /validation_features or /test_features of a data file, or
  /// /features of a graph file.
  enum class Set { train, validation, test, nodes };
  /// What to do with a row that lacks an input: end with an error, or leave it out.
  enum class BadRows { refuse, skip };

  /// Collective on `comm`. Throws bad_input, the same on every rank, if columns or classes of the file do not
  /// fit the network. `shown`: the name of the file in messages, if it is a copy of another; if empty:
  /// `path`.
  NewSampleReader(MPI_Comm comm, const std::string& path, Set set, const NetworkSides& network,
                  BadRows bad_rows, const std::string& shown = {});

  [[nodiscard]] Index samples() const;
  [[nodiscard]] bool has_answers() const { return info().has_answers; }
  [[nodiscard]] const DatasetInfo& info() const { return dataset_.info(); }
  /// The name of the file in messages.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// How the columns were matched, for people; such as "8 of 9 columns, by name".
  [[nodiscard]] std::string matching() const;
  /// Collective. Every rank passes its own rows, which may be empty. Throws bad_input, the same on every
  /// rank, which names the first bad row over all ranks, unless bad rows are skipped.
  [[nodiscard]] NewSamples read(Range rows) const;

 private:
  void match_columns(const DataNames& network, Index inputs);
  void match_classes(const NetworkSides& sides);
  void require_usable(const SampleBlock& block, const NewSamples& samples) const;
  void take_answers(const SampleBlock& block, NewSamples& samples) const;

  MPI_Comm comm_;
  Dataset dataset_;
  Set set_;
  BadRows bad_rows_;
  std::string name_;
  bool by_name_ = false;
  std::vector<Index> columns_;  // of the file, for each input of the network
  std::vector<Index> classes_;  // the network's number of each class of the file
};

}  // namespace predict
}  // namespace poise
