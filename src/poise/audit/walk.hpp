#pragma once

#include <memory>
#include <vector>

#include "poise/audit/claims.hpp"
#include "poise/audit/replay.hpp"
#include "poise/audit/run_checkpoints.hpp"

namespace poise {
inline namespace audit {

/// Shows a run to all claims: the start, every checkpoint, and the steps between that are taken again.
class Walk {
 public:
  /// Collective. Both must outlive it. `run`: the directory. `replay_steps`: see Replay.
  Walk(Subject& subject, RunCheckpoints& files, const std::string& run, Index replay_steps);
  /// Collective. One pass, in the order of the steps; one checkpoint is open at a time.
  void go();
  /// Collective. Adds the rows of all claims.
  void judge(VerdictTable& table) const;
  /// Number of steps that were taken again.
  [[nodiscard]] Index replayed() const { return replay_.steps(); }

 private:
  /// A claim, and the first error that kept it from being measured; its rows then fail.
  struct Watched {
    std::unique_ptr<Claim> claim;
    std::string error = {}, file = {};
    Index step = -1;

    void see(const RunPoint& point);
    void judge(VerdictTable& table) const;
  };
  void begin();
  /// Moves the experiment to checkpoint k. Returns whether that was possible.
  bool go_to(std::size_t k);
  /// The experiment must be at `point`.
  void see(RunPoint& point);
  void see_step(const DynamicsState& state, Vec theta, Vec gradient, const Evaluation& evaluation);

  Subject& subject_;
  RunCheckpoints& files_;
  Replay replay_;
  VecHandle gradient_;
  std::vector<Watched> claims_;
  bool connected_ = true;  // the experiment is at the previous checkpoint
};

}  // namespace audit
}  // namespace poise
