#pragma once

#include <functional>
#include <vector>

#include "poise/audit/claims.hpp"
#include "poise/audit/run_checkpoints.hpp"

namespace poise {

/// ‖x‖₂. Collective on the communicator of `vec`.
[[nodiscard]] double norm(Vec vec);

/// Takes steps of a run again, from one checkpoint to the next, with the run's own settings: they must end
/// where the run ended. The points between are seen by all claims. Intervals are taken from the newest one
/// back until a number of steps is used up; the first interval begins at the start that the seed gives.
class Replay {
 public:
  /// Not collective. Both must outlive it. `most_steps`: of all intervals together.
  Replay(Subject& subject, const RunCheckpoints& files, Index most_steps);

  using Observer =
      std::function<void(const DynamicsState&, Vec theta, Vec gradient, const Evaluation& evaluation)>;
  /// Collective. The interval that ends at checkpoint k, from where the experiment stands; `see` gets the
  /// steps between. Does nothing if it is not to be replayed.
  void run(std::size_t k, const Observer& see);
  /// Collective. Compares with checkpoint k, at which the experiment stands by now.
  void compare(std::size_t k);
  /// Not collective. Adds the rows.
  void judge(VerdictTable& table) const;
  [[nodiscard]] Index steps() const { return steps_; }

 private:
  struct Arrival {
    VecHandle theta;
    std::vector<VecHandle> vectors;
    DynamicsState state;
    double steepest = 0.0;  ///< largest ‖∇L‖ on the way
    double size = 0.0;      ///< largest Subject::gradient_size on the way
    std::string error;      ///< why there is none
  };
  [[nodiscard]] std::string why_not() const;
  [[nodiscard]] std::string why_not(std::size_t k) const;
  [[nodiscard]] Index steps_of(std::size_t k) const;
  [[nodiscard]] Arrival go(std::size_t k, double end_time, Index most, double nudge, const Observer& see);
  [[nodiscard]] double end_time(std::size_t k) const;
  [[nodiscard]] Index max_steps(std::size_t k) const;
  void keep_start();
  /// Largest distance over its tolerance, of θ and of the vectors of the dynamics, of an arrival from where
  /// the experiment stands.
  struct Distance {
    double measured = 0.0, tolerance = 0.0;
  };
  [[nodiscard]] Distance distance(std::size_t k, const Arrival& arrival);
  [[nodiscard]] double growth(std::size_t k);
  void compare_error_sum(std::size_t k);

  Subject& subject_;
  const RunCheckpoints& files_;
  std::vector<char> wanted_;
  Index steps_ = 0, intervals_ = 0, first_step_ = -1;
  // The start of the interval in hand.
  VecHandle start_theta_;
  std::vector<VecHandle> start_vectors_;
  DynamicsState start_state_;
  bool started_ = false;
  Arrival arrival_;
  Worst theta_{"<=", true}, clock_{"<=", true}, error_sum_{"<=", true};
  std::string error_, skipped_;
};

}  // namespace poise
