#pragma once

// Dense copies of H = ∇²L₀ and of the spectrum of D^½HD^½, with plain loops, on every rank.
#include <numeric>

#include "poise/model/loss.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "support/problems.hpp"
#include "unit/theory/dense_dynamics.hpp"

namespace poise::testing {

/// The features of testing_support::random_samples with seed 11, m x n.
inline Dense random_features(Index m, Index n) {
  const CounterRandom features(11, Stream::synthetic_inputs);
  Dense phi(m, n);
  for (Index i = 0; i < n; ++i)
    for (Index k = 0; k < m; ++k)
      phi(k, i) = features.normal(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(k));
  return phi;
}

/// ∇²ℓ of one sample with outputs f, by its definition.
inline Dense loss_curvature(const Loss* loss, const std::vector<double>& f) {
  const auto q = static_cast<Index>(f.size());
  Dense c(q, q);
  std::vector<double> p;
  for (const double value : f) p.push_back(std::exp(value));
  const double total = std::accumulate(p.begin(), p.end(), 0.0);
  for (Index a = 0; a < q; ++a)
    for (Index b = 0; b < q; ++b) {
      const double pa = p[static_cast<std::size_t>(a)] / total;
      const double pb = p[static_cast<std::size_t>(b)] / total;
      if (loss == squared_loss()) c(a, b) = a == b ? 2.0 : 0.0;
      if (loss == logistic_loss()) c(a, b) = p[0] / (1.0 + p[0]) / (1.0 + p[0]);
      if (loss == cross_entropy_loss()) c(a, b) = (a == b ? pa : 0.0) - pa * pb;
    }
  return c;
}

/// H in the order of explicit_dynamics: (state k, output c) at c m + k. `w` is Wᵀ, m x q.
inline Dense explicit_hessian(const Loss* loss, const Dense& phi, const Dense& w, double scale) {
  const Index m = w.rows;
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
            h(a * m + k, b * m + l) += scale * curvature(a, b) * phi(k, i) * phi(l, i);
  }
  return h;
}

/// Eigenvalues of D^½HD^½, which equal the eigenvalues of LᵀHL with D = LLᵀ, ascending.
inline std::vector<double> curvatures(const Dense& d, const Dense& h) {
  const Dense l = cholesky(d);
  return spectrum(product(transposed(l), product(h, l)));
}

}  // namespace poise::testing
