#pragma once

#include <functional>
#include <vector>

#include "poise/audit/claims.hpp"
#include "poise/audit/run_checkpoints.hpp"

namespace poise {
inline namespace audit {

/// ‖x‖₂. Collective on the communicator of `vec`.
[[nodiscard]] double norm(Vec vec);

/// Takes the steps between two checkpoints again, with the run's own settings: they must end at the later
/// checkpoint. All claims see the points between. Replays the newest intervals that together have at most a
/// given number of steps. The first interval begins at the start that the seed gives.
class Replay {
 public:
  /// Not collective. Both must outlive it. `most_steps`: largest number of steps of all intervals together.
  Replay(Subject& subject, const RunCheckpoints& files, Index most_steps);

  using Observer =
      std::function<void(const DynamicsState&, Vec theta, Vec gradient, const Evaluation& evaluation)>;
  /// Collective. Takes the steps from the state of the experiment to checkpoint k; `see` gets the steps
  /// between. Does nothing if this interval is not replayed.
  void run(std::size_t k, const Observer& see);
  /// Collective. Compares the end of the last `run` with checkpoint k. The experiment must be at checkpoint
  /// k.
  void compare(std::size_t k);
  /// Not collective. Adds the rows.
  void judge(VerdictTable& table) const;
  [[nodiscard]] Index steps() const { return steps_; }

 private:
  struct Arrival {
    VecHandle theta;
    std::vector<VecHandle> vectors;
    DynamicsState state;
    double steepest = 0.0;  ///< largest ‖∇L‖ of the steps
    double size = 0.0;      ///< largest Subject::gradient_size of the steps
    std::string error;      ///< why the steps failed; empty if they did not
  };
  [[nodiscard]] std::string why_not() const;
  [[nodiscard]] std::string why_not(std::size_t k) const;
  [[nodiscard]] Index steps_of(std::size_t k) const;
  [[nodiscard]] Arrival go(std::size_t k, double end_time, Index most, double nudge, const Observer& see);
  [[nodiscard]] double end_time(std::size_t k) const;
  [[nodiscard]] Index max_steps(std::size_t k) const;
  void keep_start();
  /// The distance of an arrival from the state of the experiment, for θ or that vector of the dynamics whose
  /// distance is largest relative to its tolerance.
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
  // The start of the current interval.
  VecHandle start_theta_;
  std::vector<VecHandle> start_vectors_;
  DynamicsState start_state_;
  bool started_ = false;
  Arrival arrival_;
  Worst theta_{"<=", true}, clock_{"<=", true}, error_sum_{"<=", true};
  std::string error_, skipped_;
};

}  // namespace audit
}  // namespace poise
