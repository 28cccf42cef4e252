#pragma once

#include <algorithm>

#include "poise/model/weights.hpp"

namespace poise {

// One function a kind, each in its own file; make_weights has checked `gamma`. Collective on the world.

[[nodiscard]] std::unique_ptr<Weights> make_softmax_weights(const ParameterLayout& layout, double gamma);
[[nodiscard]] std::unique_ptr<Weights> make_spectral_weights(const ParameterLayout& layout, double gamma);
[[nodiscard]] std::unique_ptr<Weights> make_free_weights(const ParameterLayout& layout, double gamma);
[[nodiscard]] std::unique_ptr<Weights> make_monotone_weights(const ParameterLayout& layout, double margin);

/// The columns of one block out of this rank's rows of θ: slice rows x block.columns, row-major. Not
/// collective.
inline void take_columns(const ParameterLayout& layout, const ParameterBlock& block, const double* theta,
                         double* out) {
  for (Index i = 0; i < layout.slice().size(); ++i)
    std::copy_n(theta + i * layout.row_length() + block.offset, block.columns, out + i * block.columns);
}

/// And back.
inline void put_columns(const ParameterLayout& layout, const ParameterBlock& block, const double* in,
                        double* theta) {
  for (Index i = 0; i < layout.slice().size(); ++i)
    std::copy_n(in + i * block.columns, block.columns, theta + i * layout.row_length() + block.offset);
}

}  // namespace poise
