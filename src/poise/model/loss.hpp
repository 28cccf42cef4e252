#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace model {

class ClassificationLoss;

/// Sums over a block of samples.
struct LossSum {
  double loss = 0.0;
  Index correct = 0;  ///< samples whose predicted class is the true one (meaningful for class targets)
};

/// The targets that a loss compares the q outputs of a sample with.
enum class Targets {
  reals,    ///< q numbers; the labels of q classes become one-hot columns
  classes,  ///< one-hot columns of q >= 2 classes
  binary    ///< 0 or 1; q = 1
};

/// A loss ℓ(f, y) of one sample, THEORY.md 5 (option -loss). All blocks are outputs x p, column-major, one
/// column per sample. It has no state, and no method is collective.
///
/// A user's own loss derives from this class, or from ClassificationLoss if Theorem 1 holds for it;
/// register_loss makes it known. It must define `name`, `help` and `evaluate`; the other functions have
/// defaults.
class Loss {
 public:
  virtual ~Loss() = default;
  Loss() = default;
  Loss(const Loss&) = delete;
  Loss& operator=(const Loss&) = delete;

  /// The value of -loss, also stored in run files.
  [[nodiscard]] virtual std::string name() const = 0;
  /// A clause for -help.
  [[nodiscard]] virtual std::string help() const = 0;
  [[nodiscard]] virtual Targets targets() const { return Targets::reals; }

  /// Σ_i ω_i ℓ(f_i, y_i) and, if `gradient` is given, ω_i ∇ℓ_i in its column i (may be `f` itself).
  /// `weights`: the p numbers ω_i; null if all are 1. Stable for every finite f; NaN gives NaN.
  virtual LossSum evaluate(Index outputs, Index p, const double* f, const double* targets, double* gradient,
                           const double* weights = nullptr) const = 0;

  /// Computes from the outputs f what multiply_curvature needs of each sample, into the columns of `slopes`
  /// (may be `f`): for classification the probabilities of the classes. Default: nothing.
  virtual void linearise(Index /*outputs*/, Index /*p*/, const double* /*f*/, double* /*slopes*/) const {}
  /// Whether the loss defines multiply_curvature.
  [[nodiscard]] virtual bool has_curvature() const { return false; }
  /// Column i of v becomes ω_i ∇²ℓ_i v_i, at the outputs that `slopes` were computed from. Default: throws
  /// bad_input.
  virtual void multiply_curvature(Index outputs, Index p, const double* slopes, double* v,
                                  const double* weights = nullptr) const;
  /// A bound of the largest eigenvalue of ∇²ℓ everywhere; infinity, the default, if no bound is known. The
  /// smoothness of L₀ is s σ_max(Φ)² times this bound.
  [[nodiscard]] virtual double largest_curvature() const;
  /// A number c with ‖∇ℓ‖² <= c ℓ everywhere. Default: twice the largest curvature, which is right if ℓ >= 0.
  [[nodiscard]] virtual double gradient_bound() const { return 2.0 * largest_curvature(); }
  [[nodiscard]] virtual bool bounded_below() const { return true; }

  /// Whether ℓ = ‖f − y‖². Then L* is the minimum of a least squares problem (THEORY.md 5.2), and targets may
  /// be scaled.
  [[nodiscard]] virtual bool least_squares() const { return false; }
  /// The loss as a ClassificationLoss, which has what Theorem 1 needs (THEORY.md 5.3); null if it is none. A
  /// loss that is neither least squares nor a ClassificationLoss has no proven rate.
  [[nodiscard]] virtual const ClassificationLoss* classification() const { return nullptr; }
  [[nodiscard]] bool has_proven_rate() const { return least_squares() || classification() != nullptr; }
};

/// The losses of Poise; they live as long as the program. The squared loss has no factor ½.
[[nodiscard]] const Loss* squared_loss();
[[nodiscard]] const Loss* logistic_loss();
[[nodiscard]] const Loss* cross_entropy_loss();
/// ℓ = yᵀf, which makes the gradient of an objective Jᵀ times the targets, J = ∂f/∂θ. Not for training, and
/// not a value of -loss.
[[nodiscard]] const Loss* linear_loss();

/// Makes `-loss NAME` known to everything that reads options afterwards. Call it on every rank before a
/// program's entry. Throws bad_input if the name is taken.
void register_loss(std::unique_ptr<const Loss> loss);
/// Values of -loss: the three losses of Poise, then the registered losses in their order. If `property` is
/// given, only the losses for which it is true.
[[nodiscard]] std::vector<std::string> loss_names(bool (Loss::*property)() const = nullptr);
/// The clauses of -help of all losses, separated by "; ".
[[nodiscard]] std::string loss_help();
/// The loss of this name. Throws bad_input, which lists the known names, if there is none.
[[nodiscard]] const Loss* find_loss(const std::string& name);

}  // namespace model
}  // namespace poise
