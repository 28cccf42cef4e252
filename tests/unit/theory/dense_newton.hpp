#pragma once

// Dense copies of what theory.md 6 defines, with plain loops, on every rank.
#include "poise/model/loss.hpp"
#include "support/problems.hpp"
#include "unit/theory/dense_dynamics.hpp"

namespace poise::testing {

inline Dense product(const Dense& x, const Dense& y) {
  Dense z(x.rows, y.cols);
  for (Index j = 0; j < y.cols; ++j)
    for (Index l = 0; l < x.cols; ++l)
      for (Index i = 0; i < x.rows; ++i) z(i, j) += x(i, l) * y(l, j);
  return z;
}

inline Dense transposed(const Dense& x) {
  Dense y(x.cols, x.rows);
  for (Index i = 0; i < x.rows; ++i)
    for (Index j = 0; j < x.cols; ++j) y(j, i) = x(i, j);
  return y;
}

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

/// The features of `testing_support::random_problem`, m x n.
inline Dense features_of_random_problem(Index m, Index n) {
  const CounterRandom random(11, Stream::synthetic_inputs);
  Dense phi(m, n);
  for (Index i = 0; i < n; ++i)
    for (Index k = 0; k < m; ++k)
      phi(k, i) = random.normal(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(k));
  return phi;
}

/// ∇²ℓ of one sample by its definition; `f` are its outputs.
inline Dense loss_curvature(LossKind loss, const std::vector<double>& f) {
  const auto q = static_cast<Index>(f.size());
  Dense h(q, q);
  if (loss == LossKind::squared)
    for (Index a = 0; a < q; ++a) h(a, a) = 2.0;
  if (loss == LossKind::logistic) h(0, 0) = 1.0 / ((1.0 + std::exp(-f[0])) * (1.0 + std::exp(f[0])));
  if (loss == LossKind::cross_entropy) {
    double sum = 0.0;
    for (const double value : f) sum += std::exp(value);
    for (Index a = 0; a < q; ++a)
      for (Index b = 0; b < q; ++b)
        h(a, b) = std::exp(f[static_cast<std::size_t>(a)]) / sum *
                  ((a == b ? 1.0 : 0.0) - std::exp(f[static_cast<std::size_t>(b)]) / sum);
  }
  return h;
}

/// ∇²L₀(W) = s Σ_i ∇²ℓ_i ⊗ φ_i φ_iᵀ of the mean loss; `w` is Wᵀ.
inline Dense explicit_hessian(LossKind loss, const Dense& phi, const Dense& w) {
  const Index m = phi.rows;
  const Index q = w.cols;
  Dense h(m * q, m * q);
  for (Index i = 0; i < phi.cols; ++i) {
    std::vector<double> f(static_cast<std::size_t>(q));
    for (Index c = 0; c < q; ++c)
      for (Index k = 0; k < m; ++k) f[static_cast<std::size_t>(c)] += w(k, c) * phi(k, i);
    const Dense curvature = loss_curvature(loss, f);
    for (Index a = 0; a < q; ++a)
      for (Index b = 0; b < q; ++b)
        for (Index k = 0; k < m; ++k)
          for (Index l = 0; l < m; ++l)
            h(a * m + k, b * m + l) +=
                curvature(a, b) * phi(k, i) * phi(l, i) / static_cast<double>(phi.cols);
  }
  return h;
}

/// Largest eigenvalue of a x = λ b x, b positive definite, by LAPACK.
inline double largest_generalised(Dense a, Dense b) {
  const auto n = static_cast<PetscBLASInt>(a.rows);
  const PetscBLASInt type = 1;
  PetscBLASInt length = 8 * n + 1;
  PetscBLASInt info = 0;
  std::vector<double> values(static_cast<std::size_t>(n));
  std::vector<double> work(static_cast<std::size_t>(length));
  LAPACKsygv_(&type, "N", "L", &n, a.values.data(), &n, b.values.data(), &n, values.data(), work.data(),
              &length, &info);
  return info == 0 ? values.back() : std::nan("");
}

/// U, F, M⁻¹, D, H of theory.md 6 in the order of blocks.
struct DenseNewton {
  DenseNewton(LossKind loss, const Dense& phi, const Dense& s, const Dense& w, double gamma)
      : u(for_every_output(shifted(s, gamma), w.cols)),
        hessian(explicit_hessian(loss, phi, w)),
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
