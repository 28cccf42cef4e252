#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
inline namespace dynamics {

/// How gradient descent moves. With g the gradient, clipped, and η the step size of the step:
///  - gradient: d = g;
///  - momentum (heavy ball): v ← μv + g, d = v;
///  - nesterov: v ← μv + g, d = g + μv;
///  - adam (Kingma & Ba 2015, Algorithm 1): d = m̂/(√v̂ + ε), with corrected biases;
/// and θ ← θ − η·d − η·weight_decay·θ for all: the decay is decoupled (AdamW, Loshchilov & Hutter 2019).
struct DescentSettings {
  enum class Method { gradient, momentum, nesterov, adam };
  enum class Schedule { constant, cosine, step, linear };

  Method method = Method::gradient;        ///< -method
  double step_size = 0.02;                 ///< -step_size
  double momentum = 0.9;                   ///< μ, -momentum
  double beta1 = 0.9;                      ///< -adam_beta1
  double beta2 = 0.999;                    ///< -adam_beta2
  double epsilon = 1e-8;                   ///< -adam_epsilon
  double weight_decay = 0.0;               ///< -weight_decay
  double clip = 0.0;                       ///< largest 2-norm of the gradient, -clip; 0: no limit
  Schedule schedule = Schedule::constant;  ///< -schedule
  Index schedule_warmup = 0;               ///< steps, -schedule_warmup
  Index schedule_every = 1000;             ///< steps, -schedule_every
  double schedule_factor = 0.1;            ///< -schedule_factor
  bool backtrack = false;                  ///< -on_failure backtrack

  /// Declares and reads the options named above. Throws bad_input. Not collective.
  static DescentSettings from(Options& options);

  /// The factor of the step size at step k (from 0) of max_steps: (k+1)/warmup while k < warmup. After the
  /// warm-up, with j = k − warmup and p = j/(max_steps − warmup), cosine and linear go from 1 at p = 0 to
  /// schedule_factor at p = 1, and step is schedule_factor^⌊j/every⌋.
  [[nodiscard]] double schedule_at(Index k, Index max_steps) const;
  /// Whether the schedule is 1 at every step.
  [[nodiscard]] bool is_constant() const { return schedule == Schedule::constant && schedule_warmup == 0; }
};

/// The steps of a method of descent, and its moments: Vecs in the layout of θ, zero at the start.
class UpdateRule {
 public:
  /// Collective on the communicator of `theta_like`.
  UpdateRule(const DescentSettings& settings, Vec theta_like);
  /// Takes step `step` (from 0) with step size `step_size`: changes θ and the moments in one pass over the
  /// local entries. g is gradient_factor · `gradient`. Not collective.
  void apply(Vec theta, Vec gradient, double gradient_factor, double step_size, Index step);
  /// The moments by name: "momentum", or "adam_first" and "adam_second"; empty for the plain gradient.
  [[nodiscard]] std::vector<std::pair<std::string, Vec>> vectors() const;
  /// Collective. Zeroes the moments.
  void reset();

 private:
  void plain(Vec theta, Vec gradient, double gradient_factor, double step_size) const;
  void with_momentum(Vec theta, Vec gradient, double gradient_factor, double step_size);
  void adam(Vec theta, Vec gradient, double gradient_factor, double step_size, Index step);

  DescentSettings settings_;
  VecHandle first_, second_;
};

}  // namespace dynamics
}  // namespace poise
