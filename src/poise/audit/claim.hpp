#pragma once

#include <string>

#include "poise/audit/subject.hpp"
#include "poise/audit/verdict.hpp"

namespace poise {

/// Where a run stood at one time.
struct RunPoint {
  enum class Kind {
    start,       ///< θ as the seed gives it
    step,        ///< a step between checkpoints, taken again
    checkpoint,  ///< θ as stored
  };
  Kind kind = Kind::start;
  bool chosen = false;  ///< a checkpoint for what is too costly for all: the first, middle or last one
  Index step = 0;
  double t = 0.0;
  double local_error_sum = 0.0;  ///< DynamicsState
  double loss = 0.0;             ///< NaN if it could not be evaluated
  double gradient_norm = 0.0;    ///< ‖∇L(θ)‖₂ of the run's own gradient
  Index gradients = 0;           ///< evaluations so far
  Vec theta = nullptr;
  const Checkpoint* checkpoint = nullptr;  ///< of the kind
  std::string file;                        ///< its name
};

/// One claim about a run, or some that are measured together. It sees the points in the order of their steps,
/// then judges. All methods are Collective on the world; the verdict does not depend on the ranks.
class Claim {
 public:
  virtual ~Claim() = default;
  Claim() = default;
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  /// What throws a collective Error here makes the rows fail, but for those that do not apply for a reason.
  virtual void see(const RunPoint& point) = 0;
  virtual void judge(VerdictTable& table) = 0;
};

}  // namespace poise
