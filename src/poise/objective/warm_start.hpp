#pragma once

#include <vector>

#include "poise/base/process_grid.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {

/// Remembers blocks of states of the training samples (equilibria, adjoints) at the last parameters they were
/// solved for, and predicts them at new ones: polynomial extrapolation along the path that the parameters
/// take, whose positions are measured in θ, so that uneven steps, stages of an integrator and repeated
/// parameters are all served. A prediction only saves work: convergence is absolute, so it changes results by
/// no more than the solvers' tolerances. Memory: points x blocks x rows x samples numbers, and `points`
/// copies of θ.
class WarmStart {
 public:
  /// `rows` x `samples`: a block on this rank. `points`: most sets of parameters remembered, 1 to 3.
  WarmStart(Index rows, Index samples, std::size_t blocks, std::size_t points);

  /// Collective on θ's communicator. Before a pass over all samples, or (`minibatch`) over some: then a
  /// prediction is what a sample left when it was solved last, whenever that was.
  void begin(Vec theta, bool minibatch);
  /// Predicts the columns of p samples; false if one of them is not known. Not collective.
  bool predict(std::size_t block, const Index* samples, Index p, double* out) const;
  /// Remembers them. A sample's prediction must have been taken before. Not collective.
  void record(std::size_t block, const Index* samples, Index p, const double* in);
  /// Not collective. After a pass that succeeded: only then may it be used.
  void end();
  /// Not collective. Forgets everything.
  void clear();
  /// Bytes on this rank.
  [[nodiscard]] double bytes() const;

 private:
  struct Point {
    VecHandle theta;
    std::vector<std::vector<double>> blocks;
    double weight = 0.0;
  };
  void choose_weights(Vec theta);
  [[nodiscard]] const Point& point(std::size_t age) const {
    return points_[(newest_ + points_.size() - age) % points_.size()];
  }
  [[nodiscard]] Point& point(std::size_t age) {
    return points_[(newest_ + points_.size() - age) % points_.size()];
  }

  Index rows_, samples_;
  std::vector<Point> points_;
  std::vector<std::vector<char>> known_;  // a block and a sample: in the newest point, in minibatches
  std::size_t newest_ = 0;                // a ring
  std::size_t held_ = 0;                  // points that hold all samples
  std::size_t used_ = 0;                  // of them, in the prediction
  bool minibatch_ = false, open_ = false;
};

}  // namespace poise
