#pragma once

// Dense copies of the matrices of THEORY.md 6, with plain loops, on every rank.
#include "unit/theory/dense_curvature.hpp"

namespace poise::testing {

/// I_q ⊗ u in the order of blocks: (state k, output c) at c m + k.
inline Dense for_every_output(const Dense& u, Index q) {
  Dense x(u.rows * q, u.cols * q);
  for (Index c = 0; c < q; ++c)
    for (Index i = 0; i < u.rows; ++i)
      for (Index j = 0; j < u.cols; ++j) x(c * u.rows + i, c * u.cols + j) = u(i, j);
  return x;
}

/// diag_k(M_k) in the order of blocks.
inline Dense weights_of_flow(const Dense& s, const Dense& w, double gamma) {
  Dense result(s.rows * w.cols, s.rows * w.cols);
  for (Index k = 0; k < s.rows; ++k) {
    const Dense mk = output_matrix(s, w, gamma, k);
    for (Index a = 0; a < w.cols; ++a)
      for (Index b = 0; b < w.cols; ++b) result(a * s.rows + k, b * s.rows + k) = mk(a, b);
  }
  return result;
}

/// U, F, M⁻¹, D, H of THEORY.md 6 in the order of blocks.
struct DenseNewton {
  DenseNewton(const Loss* loss, const Dense& phi, const Dense& s, const Dense& w, double gamma)
      : u(for_every_output(shifted(s, gamma), w.cols)),
        hessian(explicit_hessian(loss, phi, w, 1.0 / static_cast<double>(phi.cols))),
        dynamics(explicit_dynamics(s, w, gamma)),
        inverse_weights(inverse(weights_of_flow(s, w, gamma))),
        pulled_back(product(product(inverse(u), hessian), transposed(inverse(u)))),
        delta_bar(1.0 / largest_generalised(pulled_back, inverse_weights)) {}
  /// G = U (M⁻¹ − δF) Uᵀ
  [[nodiscard]] Dense metric(double delta) const {
    Dense inner = inverse_weights;
    for (std::size_t e = 0; e < inner.values.size(); ++e) inner.values[e] -= delta * pulled_back.values[e];
    return product(product(u, inner), transposed(u));
  }
  Dense u, hessian, dynamics, inverse_weights, pulled_back;
  double delta_bar;
};

}  // namespace poise::testing
