#pragma once

#include "poise/base/process_grid.hpp"
#include "poise/base/random.hpp"

namespace poise {
inline namespace graph_solve {

/// Sets entries of the columns of nodes to 0 with a given probability, and divides the others by the
/// probability that they stay. The choice is a pure function of (seed, stream, step, node, entry): the same
/// on every grid of ranks, and in a run that goes on from any step.
class DropoutMask {
 public:
  /// Drops nothing.
  DropoutMask() : DropoutMask(0.0, 0, Stream::dropped_features) {}
  /// `share`: the probability, in [0, 1).
  DropoutMask(double share, std::uint64_t seed, Stream stream) : share_(share), random_(seed, stream) {}

  [[nodiscard]] bool active() const { return share_ > 0.0; }
  /// Not collective. Multiplies the entries `rows` of a node's column, of which `column` holds this rank's
  /// part, by 0 or 1/(1 − share).
  void apply(Index step, Index node, Range rows, double* column) const {
    for (Index i = 0; i < rows.size(); ++i)
      if (column[i] != 0.0) column[i] *= factor(step, node, rows.begin + i);
  }

 private:
  [[nodiscard]] double factor(Index step, Index node, Index entry) const {
    const double drawn = random_.uniform(static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(node),
                                         static_cast<std::uint64_t>(entry));
    return drawn < share_ ? 0.0 : 1.0 / (1.0 - share_);
  }

  double share_;
  CounterRandom random_;
};

/// The dropout of a graph's network, drawn anew in every step.
struct Dropout {
  DropoutMask features = {};  ///< -dropout: of the features of all nodes, before the input weights
  DropoutMask states = {};    ///< -dropout_states: of what the readout sees, after -normalise_states
  /// The features that may be dropped: the global numbers of this rank's first rows. The constant stays.
  Range feature_rows = {};
};

}  // namespace graph_solve
}  // namespace poise
