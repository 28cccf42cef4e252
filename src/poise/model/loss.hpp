#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/base/process_grid.hpp"

namespace poise {

class ClassificationLoss;

/// Sums over a block of samples.
struct LossSum {
  double loss = 0.0;
  Index correct = 0;  ///< samples whose predicted class is the true one (meaningful for class targets)
};

/// What a loss compares the q outputs of a sample with.
enum class Targets {
  reals,    ///< q numbers; the labels of q classes become one-hot columns
  classes,  ///< one-hot columns of q >= 2 classes
  binary    ///< 0 or 1; q = 1
};

/// A loss ℓ(f, y) of one sample, THEORY.md 5 (option -loss). All blocks are outputs x p, column-major, one
/// column a sample. Stateless; no method is collective.
///
/// A loss of a user's own derives from this class, or from ClassificationLoss if Theorem 1 holds for it, and
/// is made known by register_loss. It must write `name`, `help` and `evaluate`; the rest has defaults.
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
  /// `weights`: the p numbers ω_i; null: all 1. Stable for every finite f; NaN goes through.
  virtual LossSum evaluate(Index outputs, Index p, const double* f, const double* targets, double* gradient,
                           const double* weights = nullptr) const = 0;

  /// What multiply_curvature needs of each sample, from the outputs f into the columns of `slopes` (may be
  /// `f`): for classification the probabilities of the classes. Default: nothing.
  virtual void linearise(Index /*outputs*/, Index /*p*/, const double* /*f*/, double* /*slopes*/) const {}
  /// Whether multiply_curvature is written.
  [[nodiscard]] virtual bool has_curvature() const { return false; }
  /// Column i of v becomes ω_i ∇²ℓ_i v_i where the loss was linearised. Default: throws bad_input.
  virtual void multiply_curvature(Index outputs, Index p, const double* slopes, double* v,
                                  const double* weights = nullptr) const;
  /// The largest eigenvalue that ∇²ℓ can have anywhere, or infinity if there is no bound or none is known, as
  /// by default. The smoothness of L₀ is s times it times σ_max(Φ)².
  [[nodiscard]] virtual double largest_curvature() const;
  /// c with ‖∇ℓ‖² <= c ℓ everywhere; by default twice the largest curvature, which is right for ℓ >= 0.
  [[nodiscard]] virtual double gradient_bound() const { return 2.0 * largest_curvature(); }
  [[nodiscard]] virtual bool bounded_below() const { return true; }

  /// Whether ℓ = ‖f − y‖²: L* is then that of least squares (THEORY.md 5.2), and targets may be scaled.
  [[nodiscard]] virtual bool least_squares() const { return false; }
  /// What Theorem 1 needs of a classification loss (THEORY.md 5.3); null for all others. A loss that is
  /// neither least squares nor one of these has no proven rate.
  [[nodiscard]] virtual const ClassificationLoss* classification() const { return nullptr; }
  [[nodiscard]] bool has_proven_rate() const { return least_squares() || classification() != nullptr; }
};

/// The losses that Poise brings; they live as long as the program. No factor ½ in the squared loss.
[[nodiscard]] const Loss* squared_loss();
[[nodiscard]] const Loss* logistic_loss();
[[nodiscard]] const Loss* cross_entropy_loss();
/// None to train with, and no value of -loss: ℓ = yᵀf, so that the gradient of an objective is Jᵀ times the
/// targets, J = ∂f/∂θ.
[[nodiscard]] const Loss* linear_loss();

/// Makes `-loss NAME` known to everything that reads options afterwards. Call it on every rank before a
/// program's entry. Throws bad_input if a loss of that name is known.
void register_loss(std::unique_ptr<const Loss> loss);
/// Values of -loss: the three losses that Poise brings, then those of register_loss in their order; only the
/// losses with a property, if one is given.
[[nodiscard]] std::vector<std::string> loss_names(bool (Loss::*property)() const = nullptr);
/// Their clauses of help, "; "-separated.
[[nodiscard]] std::string loss_help();
/// Throws bad_input that lists the known names.
[[nodiscard]] const Loss* find_loss(const std::string& name);

}  // namespace poise
