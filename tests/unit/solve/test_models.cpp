// Properties of every equilibrium map. To test a new model, add one line to model_cases.hpp.
#include <gtest/gtest.h>

#include <cmath>

#include "model_cases.hpp"
#include "model_on_grid.hpp"
#include "poise/solve/adjoint_solver.hpp"
#include "poise/solve/equilibrium_solver.hpp"
#include "support/problems.hpp"

namespace poise {
namespace {

using testing_support::feature_rank_choices;

/// Default of -eq_snes_atol: an equilibrium of relu may be 0, where a relative tolerance cannot be met.
constexpr double zero_state = 1e-30;

template <class Model>
class EquilibriumModels : public testing::Test {
 protected:
  /// Runs the body on every grid, and on widths that leave ranks without rows.
  template <class Body>
  void on_every_grid(Body body) {
    for (const int feature_ranks : feature_rank_choices())
      for (const Index m : {1, 2, 3, 14}) {
        ModelOnGrid<Model> model(feature_ranks, m);
        body(model);
      }
  }
};

TYPED_TEST_SUITE(EquilibriumModels, Models, ModelNames);

TYPED_TEST(EquilibriumModels, JacobianIsTheDerivativeOfTheMap) {
  this->on_every_grid([](ModelOnGrid<TypeParam>& model) {
    const Index p = 3;
    const Block z = model.random_states(p, 1);
    const Block v = model.random_states(p, 2);
    const Block u = model.inject(p, model.random_features(p, 3));
    const double h = 1e-5;
    Block ahead(z), behind(z), jv(z.size());
    for (std::size_t i = 0; i < z.size(); ++i) {
      ahead[i] += h * v[i];
      behind[i] -= h * v[i];
    }
    const Block plus = model.apply(p, ahead, u);
    const Block minus = model.apply(p, behind, u);
    model.map.jacobian(p, model.slopes(p, z, u).data(), v.data(), jv.data());
    const Block away = model.away_from_kinks(p, z, u);
    for (std::size_t i = 0; i < z.size(); ++i)
      EXPECT_NEAR(away[i] * (plus[i] - minus[i]) / (2 * h), away[i] * jv[i], 1e-7);
  });
}

TYPED_TEST(EquilibriumModels, TransposedJacobianIsTheAdjointOfTheJacobian) {
  this->on_every_grid([](ModelOnGrid<TypeParam>& model) {
    const Index p = 3;
    const Block z = model.random_states(p, 1);
    const Block v = model.random_states(p, 2);
    const Block w = model.random_states(p, 4);
    const Block slopes = model.slopes(p, z, model.inject(p, model.random_features(p, 3)));
    Block jv(z.size()), jtw(z.size());
    model.map.jacobian(p, slopes.data(), v.data(), jv.data());
    model.map.jacobian_transpose(p, slopes.data(), w.data(), jtw.data());
    EXPECT_NEAR(model.dot(w, jv), model.dot(jtw, v), 1e-13 * 14 * p);
  });
}

TYPED_TEST(EquilibriumModels, EquilibriumIsAFixedPointForEverySample) {
  this->on_every_grid([](ModelOnGrid<TypeParam>& model) {
    const Index p = 5;
    Block x = model.random_features(p, 3);
    const Index d = model.features.size();
    for (Index i = 0; i < d; ++i) x[2 * d + i] = 0.0;    // a zero sample
    for (Index i = 0; i < d; ++i) x[3 * d + i] *= 1e-9;  // a tiny one
    const Block u = model.inject(p, x);
    EquilibriumSolver solver(model.grid.feature(), model.map, p);
    Block z(u), slopes(static_cast<std::size_t>(model.map.slope_rows() * p));
    const Outcome outcome = solver.solve(p, u.data(), z.data(), slopes.data());
    ASSERT_TRUE(outcome.converged) << outcome.reason;
    Block residual = model.apply(p, z, u);
    const Block size = model.norms(p, residual);
    for (std::size_t i = 0; i < z.size(); ++i) residual[i] -= z[i];
    const Block error = model.norms(p, residual);
    for (Index c = 0; c < p; ++c)
      EXPECT_LE(error[c], 1.01 * solver.rtol() * size[c] + zero_state) << "sample " << c;
    const Block expected = model.slopes(p, z, u);
    for (std::size_t i = 0; i < slopes.size(); ++i) EXPECT_NEAR(slopes[i], expected[i], 1e-10);
  });
}

/// The bound of ‖z − z*‖ in units of the residual r = z − h(z).
/// Norms "1" and "2": 1/(1 − c), THEORY.md 7.5. Monotone: a is the resolvent of a monotone ∂f, so with y =
/// h(z), Wz + u − y ∈ ∂f(y) and Wz* + u − z* ∈ ∂f(z*). Monotonicity gives <(W − I)(y − z*) + Wr, y − z*> ≥ 0,
/// hence μ‖y − z*‖² ≤ ‖W‖‖r‖‖y − z*‖ and ‖z − z*‖₂ ≤ (1 + ‖W‖₂/μ)‖r‖₂. ‖W‖₂ is bounded by the Frobenius norm
/// here.
template <class Model>
double error_bound(const ModelOnGrid<Model>& model, const Certificate& certificate) {
  if (certificate.norm != "monotone") return 1.0 / (1.0 - certificate.contraction);
  const RowBlockMatrix& weights = model.map.pointwise_form()->weights;
  double square = 0.0;
  for (Index e = 0; e < weights.local_rows() * weights.width(); ++e)
    square += weights.rows()[e] * weights.rows()[e];
  return 1.0 + std::sqrt(model.sum_over_rows(square)) / (1.0 - certificate.contraction);
}

TYPED_TEST(EquilibriumModels, CertificateBoundsTheErrorOfAnyState) {
  this->on_every_grid([](ModelOnGrid<TypeParam>& model) {
    const Certificate certificate = model.map.certificate();
    ASSERT_TRUE(certificate.well_posed()) << certificate.contraction;
    const Block u = model.inject(1, model.random_features(1, 3));
    Block star(u), slopes(static_cast<std::size_t>(model.map.slope_rows()));
    EquilibriumSolver solver(model.grid.feature(), model.map, 1);
    require(solver.solve(1, u.data(), star.data(), slopes.data()));
    for (const std::uint64_t seed : {9, 10, 11}) {
      const Block z = model.random_states(1, seed);
      const double error = model.distance(certificate.norm, z, star);
      const double residual = model.distance(certificate.norm, z, model.apply(1, z, u));
      EXPECT_LE(error, residual * error_bound(model, certificate) * (1.0 + 1e-10));
    }
  });
}

TYPED_TEST(EquilibriumModels, AdjointSolvesTheTransposedSystemOfEverySample) {
  this->on_every_grid([](ModelOnGrid<TypeParam>& model) {
    const Index p = 4;
    const Block z = model.random_states(p, 1);
    const Block slopes = model.slopes(p, z, model.inject(p, model.random_features(p, 3)));
    Block rhs = model.random_states(p, 5);
    for (Index i = 0; i < model.rows(); ++i) {
      rhs[i] = 0.0;                     // nothing to solve
      rhs[model.rows() + i] *= 1e-150;  // about the smallest possible size
    }
    AdjointSolver solver(model.grid.feature(), model.map, p, 1e-12);
    Block lambda(rhs.size()), jt(rhs.size());
    const Outcome outcome = solver.solve(p, slopes.data(), rhs.data(), lambda.data());
    ASSERT_TRUE(outcome.converged) << outcome.reason;
    model.map.jacobian_transpose(p, slopes.data(), lambda.data(), jt.data());
    for (std::size_t i = 0; i < rhs.size(); ++i) jt[i] = lambda[i] - jt[i] - rhs[i];
    const Block residual = model.norms(p, jt);
    const Block norm = model.norms(p, rhs);
    for (Index c = 0; c < p; ++c) EXPECT_LE(residual[c], 3e-12 * norm[c]) << "sample " << c;
  });
}

TYPED_TEST(EquilibriumModels, ParameterGradientMatchesADifferenceQuotient) {
  // d/dε <Λ, h(Z; θ + ε D)> = <gradient, D>, D in all blocks; the quotient is of order h⁴.
  this->on_every_grid([](ModelOnGrid<TypeParam>& model) {
    const Index p = 3;
    const Block z = model.random_states(p, 1);
    const Block x = model.random_features(p, 3);
    const Block u = model.inject(p, x);
    Block lambda = model.random_states(p, 6);
    const Block away = model.away_from_kinks(p, z, u);
    for (std::size_t i = 0; i < lambda.size(); ++i) lambda[i] *= away[i];
    const VecHandle gradient = duplicate(model.theta.get());
    const VecHandle direction = model.random_parameters(77);
    const VecHandle moved = duplicate(model.theta.get());
    check(VecSet(gradient.get(), 0.0));
    model.map.clear_gradient();
    // Every sample rank adds the same block here, so the sum over the ranks has it once per rank.
    model.map.add_gradient(p, model.slopes(p, z, u).data(), z.data(), x.data(), lambda.data());
    model.map.write_gradient(gradient.get());
    double slope = 0.0;
    check(VecDot(gradient.get(), direction.get(), &slope));
    slope /= model.grid.sample_ranks();
    const double h = 2e-4;
    const auto value = [&](double step) {
      check(VecWAXPY(moved.get(), step, direction.get(), model.theta.get()));
      model.map.set_parameters(moved.get());
      return model.dot(lambda, model.apply(p, z, model.inject(p, x)));
    };
    const double difference =
        (8.0 * (value(h) - value(-h)) - (value(2.0 * h) - value(-2.0 * h))) / (12.0 * h);
    EXPECT_NEAR(difference, slope, 1e-9 * (1.0 + std::abs(slope)));
  });
}

}  // namespace
}  // namespace poise
