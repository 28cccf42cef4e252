#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "poise/base/error.hpp"
#include "poise/dynamics/dynamics.hpp"
#include "support/problems.hpp"

namespace poise::testing_support {

/// L(θ) = ½ u Σ a_i (θ_i − c)². For c = 0 the exact flow is θ_i(0) exp(−u a_i t). With minibatches c is the
/// mean of sin(k) over their samples k, otherwise 0. The objective can be made to fail.
class Quadratic final : public Objective {
 public:
  static double rate(Index i) { return 0.5 + static_cast<double>(i % 5); }
  static double centre(Index sample) { return std::sin(static_cast<double>(sample)); }

  Evaluation value_and_gradient(Vec theta, Vec gradient) override { return at(theta, gradient, 0.0); }
  Evaluation value_and_gradient(Vec theta, Vec gradient, const Batch& batch) override {
    if (batch.all) return at(theta, gradient, 0.0);
    double sum = 0.0;
    for (const Index i : batch.local) sum += centre(first_sample + i);
    MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    return at(theta, gradient, sum / static_cast<double>(batch.total));
  }
  Score score(Vec, const SampleSet&) override { return {}; }

  double unit = 1.0;  ///< u
  Index evaluations = 0;
  Index fail_at = 0;       ///< number of the evaluation that fails; 0: none
  bool fail_after = true;  ///< all later evaluations fail, too
  double radius = 0.0;     ///< fails if ‖θ‖ is larger; 0: never
  bool gives_nan = false;  ///< fails by a gradient that is not finite
  Index first_sample = 0;  ///< of this rank

 private:
  [[nodiscard]] bool fails(Vec theta) const {
    double norm = 0.0;
    check(VecNorm(theta, NORM_2, &norm));
    if (radius > 0.0 && norm > radius) return true;
    return fail_at > 0 && (fail_after ? evaluations >= fail_at : evaluations == fail_at);
  }
  Evaluation at(Vec theta, Vec gradient, double c) {
    ++evaluations;
    double loss = 0.0;
    {
      const ReadArray x(theta);
      WriteArray g(gradient);
      PetscInt first = 0;
      check(VecGetOwnershipRange(theta, &first, nullptr));
      for (std::size_t i = 0; i < x.span().size(); ++i) {
        const double a = unit * rate(first + static_cast<Index>(i));
        g[i] = a * (x[i] - c);
        loss += 0.5 * a * (x[i] - c) * (x[i] - c);
      }
    }
    MPI_Allreduce(MPI_IN_PLACE, &loss, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    Evaluation result;
    result.train.loss = loss;
    if (fails(theta)) {
      check(VecSet(gradient, std::nan("")));
      if (!gives_nan) throw Error(ExitCode::failed, "seeded failure", true);
    }
    return result;
  }
};

struct Point {
  Index step;
  double t, loss, error;
};

inline VecHandle constant(Index n, double value) {
  VecHandle vec;
  check(VecCreateMPI(MPI_COMM_WORLD, PETSC_DECIDE, static_cast<PetscInt>(n), vec.out()));
  check(VecSet(vec.get(), value));
  return vec;
}

inline VecHandle ones(Index n) {
  return constant(n, 1.0);
}

inline Observer record(std::vector<Point>& points, Index stop_at = -1) {
  return [&points, stop_at](const DynamicsState& state, Vec, Vec, const Evaluation& evaluation) {
    points.push_back({state.step, state.t, evaluation.train.loss, state.local_error_sum});
    return state.step != stop_at;
  };
}

/// Copies what a checkpoint holds from one Dynamics to another: its vectors and the saved fields of the
/// state.
inline DynamicsState carried_over(const DynamicsState& state, Dynamics& from, Dynamics& to) {
  const auto old = from.vectors();
  const auto fresh = to.vectors();
  EXPECT_EQ(old.size(), fresh.size());
  for (std::size_t i = 0; i < old.size(); ++i) {
    EXPECT_EQ(old[i].first, fresh[i].first);
    check(VecCopy(old[i].second, fresh[i].second));
  }
  DynamicsState read;
  read.step = state.step;
  read.t = state.t;
  read.next_step_size = state.next_step_size;
  read.local_error_sum = state.local_error_sum;
  read.gradients = state.gradients;
  read.shown = state.shown;
  read.step_scale = state.step_scale;
  read.reductions = state.reductions;
  read.clipped = state.clipped;
  return read;
}

inline void expect_same(const std::vector<Point>& a, const std::vector<Point>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t k = 0; k < a.size(); ++k) {
    EXPECT_EQ(a[k].step, b[k].step);
    EXPECT_EQ(a[k].t, b[k].t);
    EXPECT_EQ(a[k].loss, b[k].loss);
    EXPECT_EQ(a[k].error, b[k].error);
  }
}

/// Compares an uninterrupted run with an interrupted and resumed run, with new objects as in a new process.
template <class MakeDynamics>
void expect_resumed_equals_straight(Quadratic& objective, MakeDynamics make, Index stop_at) {
  std::vector<Point> straight, resumed;
  const VecHandle theta_straight = ones(9);
  DynamicsState state_straight;
  make(objective, theta_straight.get())->run(theta_straight.get(), state_straight, record(straight));

  const VecHandle theta = ones(9);
  DynamicsState state;
  const auto before = make(objective, theta.get());
  EXPECT_EQ(before->run(theta.get(), state, record(resumed, stop_at)), StopReason::stopped_by_observer);
  EXPECT_NE(all_entries(theta.get()), all_entries(theta_straight.get()));  // still different
  const auto after = make(objective, theta.get());
  state = carried_over(state, *before, *after);
  after->run(theta.get(), state, record(resumed));
  EXPECT_EQ(all_entries(theta.get()), all_entries(theta_straight.get()));  // equal, bit by bit
  expect_same(resumed, straight);
  EXPECT_EQ(state.step_scale, state_straight.step_scale);
  EXPECT_EQ(state.reductions, state_straight.reductions);
  EXPECT_EQ(state.clipped, state_straight.clipped);
}

}  // namespace poise::testing_support
