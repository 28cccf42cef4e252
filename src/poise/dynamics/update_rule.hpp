#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise/dynamics/descent_settings.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {

/// One step of a method of descent, with the moments it carries: Vecs in the layout of θ, zero at the start.
class UpdateRule {
 public:
  /// Collective on the communicator of `theta_like`.
  UpdateRule(const DescentSettings& settings, Vec theta_like);
  /// Step `step` (from 0) with step size η: changes θ and the moments, in one pass over the local entries. g
  /// is gradient_factor · `gradient`. Not collective.
  void apply(Vec theta, Vec gradient, double gradient_factor, double step_size, Index step);
  /// The moments by name: "momentum", or "adam_first" and "adam_second"; none for the plain gradient.
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

}  // namespace poise
