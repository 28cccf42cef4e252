#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/audit/subject.hpp"
#include "poise/audit/verdict.hpp"

namespace poise {
inline namespace audit {

/// The state of a run at one step.
struct RunPoint {
  enum class Kind {
    start,       ///< θ from the seed
    step,        ///< a step between checkpoints, taken again
    checkpoint,  ///< θ from the file
  };
  Kind kind = Kind::start;
  bool chosen = false;  ///< the first, middle or last checkpoint: for checks too costly to make at every one
  Index step = 0;
  double t = 0.0;
  double local_error_sum = 0.0;  ///< DynamicsState::local_error_sum
  double loss = 0.0;             ///< NaN if it could not be evaluated
  double gradient_norm = 0.0;    ///< ‖∇L(θ)‖₂ of the run's own gradient
  Index gradients = 0;           ///< number of evaluations so far
  Vec theta = nullptr;
  const Checkpoint* checkpoint = nullptr;  ///< null unless `kind` is checkpoint
  std::string file;                        ///< name of the checkpoint
};

/// One claim about a run, or several claims that are measured together. It sees the points in the order of
/// their steps, then judges. All methods are Collective on the world; the verdict is the same on all ranks.
class Claim {
 public:
  virtual ~Claim() = default;
  Claim() = default;
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  /// A collective Error thrown here makes the rows of this claim fail, except rows that do not apply.
  virtual void see(const RunPoint& point) = 0;
  virtual void judge(VerdictTable& table) = 0;
};

// The makers of all claims, defined in claim_*.cpp. All are Collective; the subject must outlive the claims.

/// The feature map, fitted again to the data (THEORY.md 1).
[[nodiscard]] std::unique_ptr<Claim> make_features_claim(Subject& subject);
/// The column sums of A stay constant (THEORY.md 7.2).
[[nodiscard]] std::unique_ptr<Claim> make_column_sums_claim(Subject& subject);
/// The gradient (THEORY.md 3 and 3.2) against central differences of the loss, for every model.
[[nodiscard]] std::unique_ptr<Claim> make_gradient_claim(Subject& subject);
/// The gradient by THEORY.md 3.1 against 3.2, and the residuals of the solves.
[[nodiscard]] std::unique_ptr<Claim> make_equilibrium_gradient_claim(Subject& subject);
/// The matrix D of the dynamics (THEORY.md 4.1, 4.2 and 4.3).
[[nodiscard]] std::unique_ptr<Claim> make_dynamics_matrix_claim(Subject& subject);
/// Theorem 1 and its constants (THEORY.md 4.4, 5, 5.1, 5.2).
[[nodiscard]] std::unique_ptr<Claim> make_rates_claim(Subject& subject);
/// The equilibria and the weights (THEORY.md 7.1, 7.3, 7.4 and 7.5), and the certificates of all weights.
[[nodiscard]] std::unique_ptr<Claim> make_equilibrium_claim(Subject& subject);
/// The same for the one equilibrium of all nodes of a graph (THEORY.md 7.4, 8.2, 8.4).
[[nodiscard]] std::unique_ptr<Claim> make_graph_claim(Subject& subject);

/// Theorem 2 (THEORY.md 6).
[[nodiscard]] std::unique_ptr<Claim> make_newton_claim(Subject& subject);
/// The step size of a descent against StepLimit. No theorem covers it, so the row is observed.
[[nodiscard]] std::unique_ptr<Claim> make_step_limit_claim(Subject& subject);

/// The rate that the Gram matrix of the tangents proves for networks without Theorem 1.
[[nodiscard]] std::unique_ptr<Claim> make_gram_claim(Subject& subject);

/// L* and W* of the squared loss from the residuals of all samples (THEORY.md 5.2).
[[nodiscard]] std::unique_ptr<Claim> make_optimum_claim(Subject& subject);
/// The history in run.h5 of the directory `run` against the checkpoints.
[[nodiscard]] std::unique_ptr<Claim> make_history_claim(Subject& subject, const std::string& run);

}  // namespace audit
}  // namespace poise
