#pragma once

#include <string>

#include "poise/base/process_grid.hpp"
#include "poise/model/activation.hpp"

namespace poise::compare {

/// One of the models that are compared.
struct ModelSpec {
  enum class Kind {
    implicit,    ///< softmax-linear, THEORY.md 2.1, by the collapsed objective
    unrolled,    ///< its equation applied `depth` times from zero, THEORY.md 2.4
    shallow,     ///< f = W φ(x), THEORY.md 2.5
    feedforward  ///< untied layers without biases, THEORY.md 2.4
  };
  Kind kind = Kind::implicit;
  Index depth = 0;
  Activation activation = Activation::identity;

  /// Whether the model is f = W φ(x) for some W.
  [[nodiscard]] bool linear() const { return activation == Activation::identity; }
  /// "implicit", "depth 4", "shallow", "deep linear", "relu network".
  [[nodiscard]] std::string name() const;
  /// Roughly the work of a gradient, in layers.
  [[nodiscard]] double cost() const;
};

}  // namespace poise::compare
