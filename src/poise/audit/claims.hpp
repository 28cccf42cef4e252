#pragma once

#include <memory>
#include <string>
#include <vector>

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

// One function a file claim_*.cpp. All are Collective; the subject must outlive the claims.

/// The feature map, fitted again to the data (THEORY.md 1).
[[nodiscard]] std::unique_ptr<Claim> make_features_claim(Subject& subject);
/// THEORY.md 7.2.
[[nodiscard]] std::unique_ptr<Claim> make_column_sums_claim(Subject& subject);
/// THEORY.md 3 and 3.2 against differences of the loss, for every model.
[[nodiscard]] std::unique_ptr<Claim> make_gradient_claim(Subject& subject);
/// THEORY.md 3.1 against 3.2, and the residuals of their solves.
[[nodiscard]] std::unique_ptr<Claim> make_equilibrium_gradient_claim(Subject& subject);
/// THEORY.md 4.1, 4.2 and 4.3.
[[nodiscard]] std::unique_ptr<Claim> make_dynamics_matrix_claim(Subject& subject);
/// THEORY.md 4.4, 5, 5.1, 5.2.
[[nodiscard]] std::unique_ptr<Claim> make_rates_claim(Subject& subject);
/// THEORY.md 7.1, 7.3, 7.4 and 7.5, and the certificates of other weights.
[[nodiscard]] std::unique_ptr<Claim> make_equilibrium_claim(Subject& subject);

/// THEORY.md 6.
[[nodiscard]] std::unique_ptr<Claim> make_newton_claim(Subject& subject);
/// The step size of a descent beside StepLimit: observed, no theorem.
[[nodiscard]] std::unique_ptr<Claim> make_step_limit_claim(Subject& subject);

/// The rate that the Gram matrix of the tangents proves for other networks.
[[nodiscard]] std::unique_ptr<Claim> make_gram_claim(Subject& subject);

/// L* and W* of the squared loss from the residuals of all samples (THEORY.md 5.2).
[[nodiscard]] std::unique_ptr<Claim> make_optimum_claim(Subject& subject);
/// run.h5 of the directory `run` against the checkpoints.
[[nodiscard]] std::unique_ptr<Claim> make_history_claim(Subject& subject, const std::string& run);

}  // namespace poise
