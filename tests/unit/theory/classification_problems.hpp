#pragma once

// Small classification problems and their optimum by dense Newton iteration in long double on every rank.
#include <cmath>
#include <vector>

#include "poise/objective/shallow_loss.hpp"
#include "support/problems.hpp"
#include "unit/theory/dense_dynamics.hpp"

namespace poise::testing {

using testing_support::local_rows;
using Real = long double;

/// Features m x n and labels, whole on every rank.
struct Samples {
  Dense features{0, 0};
  std::vector<Index> labels;
};

/// Normal features; labels by a random linear rule with noise, so that no W separates them.
inline Samples noisy_samples(Index m, Index n, Index classes, std::uint64_t seed, double noise_size = 2.0) {
  Samples samples{random_block(m, n, 1.0, seed), {}};
  const Dense rule = random_block(classes, m, 1.0, seed + 1);
  const Dense noise = random_block(classes, n, noise_size, seed + 2);
  for (Index i = 0; i < n; ++i) {
    Index best = 0;
    double top = -1e300;
    for (Index c = 0; c < classes; ++c) {
      double score = noise(c, i);
      for (Index k = 0; k < m; ++k) score += rule(c, k) * samples.features(k, i);
      if (score > top) {
        top = score;
        best = c;
      }
    }
    samples.labels.push_back(best);
  }
  return samples;
}

/// This rank's part of the samples, as a problem.
inline Problem problem_of(const ParameterLayout& layout, const Loss* loss, const Samples& samples) {
  const auto n = static_cast<Index>(samples.labels.size());
  const Range columns = layout.grid().samples(n);
  const Range rows = local_rows(layout.grid(), layout.width());
  const Index q = layout.outputs();
  Problem problem{loss, true, q, {n, columns.size(), {}, {}}, {}};
  for (Index i = columns.begin; i < columns.end; ++i) {
    for (Index k = rows.begin; k < rows.end; ++k) problem.train.features.push_back(samples.features(k, i));
    const Index label = samples.labels[static_cast<std::size_t>(i)];
    for (Index c = 0; c < q; ++c)
      problem.train.targets.push_back(q == 1 ? static_cast<double>(label) : (c == label ? 1.0 : 0.0));
  }
  return problem;
}

/// A classification problem with its distributed loss.
struct Classification {
  Classification(int feature_ranks, const Loss* loss, const Samples& samples, Index q)
      : grid(MPI_COMM_WORLD, feature_ranks),
        layout(grid, samples.features.rows, q),
        problem(problem_of(layout, loss, samples)),
        shallow(layout, problem),
        rows(grid.world(), layout.slice_offsets()) {}
  /// This rank's block of a whole Wᵀ, m x q.
  [[nodiscard]] std::vector<double> local(const Dense& w) const { return local_block(rows, w); }
  [[nodiscard]] Dense whole(const std::vector<double>& w) const {
    return whole_block(rows, layout.outputs(), w.data());
  }
  ProcessGrid grid;
  ParameterLayout layout;
  Problem problem;
  ShallowLoss shallow;
  RowBlockMatrix rows;
};

/// L₀, its gradient and its Hessian at Wᵀ (m x q, column-major) in long double; logistic has q = 1.
struct DenseLoss {
  const Samples& samples;
  Index q;

  [[nodiscard]] Index unknowns() const { return samples.features.rows * q; }
  Real evaluate(const std::vector<Real>& w, std::vector<Real>* gradient, std::vector<Real>* hessian) const {
    const Index m = samples.features.rows;
    const Index size = unknowns();
    const auto n = static_cast<Index>(samples.labels.size());
    if (gradient != nullptr) gradient->assign(static_cast<std::size_t>(size), 0.0L);
    if (hessian != nullptr) hessian->assign(static_cast<std::size_t>(size * size), 0.0L);
    const Index classes = q == 1 ? 2 : q;
    Real loss = 0.0L;
    for (Index i = 0; i < n; ++i) {
      std::vector<Real> f(static_cast<std::size_t>(classes), 0.0L);  // logistic: class 0 has the score 0
      const Index first = q == 1 ? 1 : 0;
      for (Index c = 0; c < q; ++c)
        for (Index k = 0; k < m; ++k) f[first + c] += w[c * m + k] * samples.features(k, i);
      Real top = f[0], total = 0.0L;
      for (const Real score : f) top = std::max(top, score);
      for (const Real score : f) total += std::exp(score - top);
      const Index label = samples.labels[static_cast<std::size_t>(i)];
      loss += (std::log(total) + top - f[label]) / n;
      std::vector<Real> p;
      for (const Real score : f) p.push_back(std::exp(score - top) / total);
      for (Index c = 0; c < q; ++c) {
        for (Index k = 0; k < m && gradient != nullptr; ++k)
          (*gradient)[c * m + k] +=
              (p[first + c] - (first + c == label ? 1.0L : 0.0L)) * samples.features(k, i) / n;
        for (Index b = 0; b < q && hessian != nullptr; ++b) {
          const Real curvature = p[first + c] * ((b == c ? 1.0L : 0.0L) - p[first + b]);
          for (Index k = 0; k < m; ++k)
            for (Index l = 0; l < m; ++l)
              (*hessian)[(c * m + k) * size + b * m + l] +=
                  curvature * samples.features(k, i) * samples.features(l, i) / n;
        }
      }
    }
    return loss;
  }
};

/// x = H⁻¹ x by Cholesky; false if H is not positive definite.
inline bool cholesky_solve(Index size, std::vector<Real> h, std::vector<Real>& x) {
  for (Index j = 0; j < size; ++j) {
    for (Index k = 0; k < j; ++k)
      for (Index i = j; i < size; ++i) h[i * size + j] -= h[i * size + k] * h[j * size + k];
    if (!(h[j * size + j] > 0.0L)) return false;
    const Real root = std::sqrt(h[j * size + j]);
    for (Index i = j; i < size; ++i) h[i * size + j] /= root;
  }
  for (Index i = 0; i < size; ++i) {
    for (Index k = 0; k < i; ++k) x[i] -= h[i * size + k] * x[k];
    x[i] /= h[i * size + i];
  }
  for (Index i = size - 1; i >= 0; --i) {
    for (Index k = i + 1; k < size; ++k) x[i] -= h[k * size + i] * x[k];
    x[i] /= h[i * size + i];
  }
  return true;
}

struct DenseOptimum {
  Real loss = 0.0L;
  Real decrement2 = 0.0L;  ///< GᵀH⁻¹G at the end: twice the possible distance from the optimum
  std::vector<Real> w;     ///< column sums over the classes are zero
};

/// Newton's method with halved steps; only for full rank and attained optima.
inline DenseOptimum dense_optimum(const DenseLoss& loss) {
  const Index size = loss.unknowns();
  const Index m = loss.samples.features.rows;
  DenseOptimum at;
  at.w.assign(static_cast<std::size_t>(size), 0.0L);
  std::vector<Real> gradient, hessian;
  for (int step = 0; step < 100; ++step) {
    at.loss = loss.evaluate(at.w, &gradient, &hessian);
    if (loss.q > 1)  // adding a row to all rows of W changes nothing: choose zero sums
      for (Index c = 0; c < loss.q; ++c)
        for (Index b = 0; b < loss.q; ++b)
          for (Index k = 0; k < m; ++k) hessian[(c * m + k) * size + b * m + k] += 1.0L;
    std::vector<Real> direction = gradient;
    if (!cholesky_solve(size, hessian, direction)) return {std::nanl(""), std::nanl(""), {}};
    at.decrement2 = 0.0L;
    for (Index e = 0; e < size; ++e) at.decrement2 += gradient[e] * direction[e];
    if (at.decrement2 < 1e-36L) break;
    Real length = 1.0L;
    std::vector<Real> trial(at.w.size());
    do {
      for (Index e = 0; e < size; ++e) trial[e] = at.w[e] - length * direction[e];
      length *= 0.5L;
    } while (loss.evaluate(trial, nullptr, nullptr) > at.loss + 1e-17L && length > 1e-6L);
    at.w = trial;
  }
  return at;
}

}  // namespace poise::testing
