#pragma once

#include <limits>
#include <string>
#include <vector>

namespace poise {

/// One row of the history (run.h5, /history) and of the table on the terminal. NaN: not measured.
struct HistoryRow {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  double step = 0, t = 0;
  double epoch = none;  ///< of minibatches
  double loss = none, loss_excess = none;
  double penalty = none;  ///< beside the loss
  double grad_norm = none, train_accuracy = none, test_loss = none, test_accuracy = none;
  double lambda_min = none, lambda_T = none, lambda_floor = none, kappa = none, kappa_measured = none,
         bound = none, bound_integrated = none;  ///< of the audit
  double contraction = none;                     ///< the model's Certificate
  double step_size = none;
  double equilibrium_iterations = none, adjoint_iterations = none;
  double equilibrium_fallbacks = none, adjoint_fallbacks = none;  ///< samples since the last row
  double gradient_cosine = none, gradient_error = none;           ///< against the exact gradient
  double wall_seconds = 0;

  [[nodiscard]] static const std::vector<std::string>& columns();
  [[nodiscard]] std::vector<double> values() const;
};

}  // namespace poise
