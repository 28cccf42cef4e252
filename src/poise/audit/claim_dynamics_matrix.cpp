#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "poise/audit/claims.hpp"
#include "poise/audit/differences.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"
#include "poise/base/text.hpp"
#include "poise/theory/step_limit.hpp"

namespace poise {
inline namespace audit {
namespace {

using Block = std::vector<double>;
constexpr Index probes = 3;

/// Checks D at a few checkpoints, by products with seeded random blocks V.
class DynamicsMatrixClaim final : public Claim {
 public:
  explicit DynamicsMatrixClaim(Subject& subject) : subject_(subject) {
    if (!subject.linear()) return;
    dynamics_ = std::make_unique<DynamicsMatrix>(subject.model().softmax(), subject.model().gamma(),
                                                 subject.layout().outputs());
    for (auto* vec : {&gradient_, &moved_}) *vec = subject.layout().create();
  }

  void see(const RunPoint& point) override {
    if (!point.chosen || !subject_.linear()) return;
    static const LogEvent event("AuditDynamicsMatrix");
    const auto scope = event.begin();
    CollapsedModel& model = subject_.model();
    g_.resize(static_cast<std::size_t>(dynamics_->local_size()));
    (void)model.set_parameters(point.theta);
    w_.assign(model.w(), model.w() + g_.size());
    (void)subject_.loss().value_and_gradient(model.w(), g_.data());
    (void)model.write_gradient(g_.data(), gradient_.get());
    dynamics_->update(model.w());
    compare_inverse(point);
    const Block derivative = times_d(g_);  // before W moves
    compare_derivative(point, derivative);
  }

  void judge(VerdictTable& table) override {
    const std::string why = subject_.linear() ? "" : "only -model softmax_linear has D";
    table.add(inverse_.row("d_inverse", "D times D^-1 is the identity", "4.2, 4.3", why));
    table.add(symmetry_.row("d_symmetric", "D is symmetric", "4.1", why));
    table.add(positive_.row("d_positive", "<V, DV> is at least |V|^2 times the floor", "4.4", why));
    table.add(derivative_.row("d_flow", "dW/dt along -grad L is -D grad L0, by differences", "4.1", why));
  }

 private:
  [[nodiscard]] double inner(const Block& a, const Block& b) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, subject_.grid().world()));
    return sum;
  }
  [[nodiscard]] double norm(const Block& a) const { return std::sqrt(inner(a, a)); }

  Block times_d(const Block& v) {
    CollapsedModel& model = subject_.model();
    Block out(v.size());
    dynamics_->apply(
        v.data(), out.data(), [&](const double* rhs, double* x) { (void)model.solve(rhs, x); },
        [&](const double* rhs, double* x) { (void)model.solve_transpose(rhs, x); });
    return out;
  }

  [[nodiscard]] Block seeded(Index step, Index probe) const {
    const CounterRandom random(subject_.settings().seed + static_cast<std::uint64_t>(step),
                               Stream::eigenvector);
    const Index rows = dynamics_->local_rows(), q = dynamics_->outputs();
    Block block(g_.size());
    for (Index c = 0; c < q; ++c)
      for (Index i = 0; i < rows; ++i)
        block[static_cast<std::size_t>(c * rows + i)] =
            random.normal(dynamics_->row_begin() + i, probe * q + c);
    return block;
  }

  /// The tolerance is the accuracy of two solves with U and two products with U⁻¹, times the condition of D.
  /// The factors of D are U (twice) and I + γ² W J² Wᵀ, which is at most 1 + γ²‖W‖²/4.
  void compare_inverse(const RunPoint& point) {
    const double gamma = subject_.model().gamma();
    const double condition = (1.0 + gamma) / (1.0 - gamma);
    const double tolerance =
        4.0 * subject_.model().weight_error() * condition * (1.0 + gamma * gamma * inner(w_, w_) / 4.0);
    Block last, last_image;
    for (Index probe = 0; probe < probes; ++probe) {
      const Block v = seeded(point.step, probe);
      const Block image = times_d(v);
      Block back(v.size());
      dynamics_->apply_inverse(image.data(), back.data());
      for (std::size_t i = 0; i < v.size(); ++i) back[i] -= v[i];
      inverse_.add(norm(back) / norm(v), tolerance, point.step, point.file);
      positive_.add(inner(v, image) / inner(v, v), dynamics_->lambda_floor(), point.step, point.file);
      if (probe > 0)
        symmetry_.add(std::abs(inner(last, image) - inner(last_image, v)) / (norm(last) * norm(image)),
                      tolerance, point.step, point.file);
      last = v;
      last_image = image;
    }
  }

  void compare_derivative(const RunPoint& point, Block derivative) {
    double largest = 0.0;
    check(VecNorm(gradient_.get(), NORM_INFINITY, &largest));
    const double size = norm(derivative);
    if (largest == 0.0 || size == 0.0) return;
    for (double& entry : derivative) entry = -entry;
    CollapsedModel& model = subject_.model();
    const auto at = [&](double time) {
      check(VecWAXPY(moved_.get(), -time, gradient_.get(), point.theta));
      (void)model.set_parameters(moved_.get());
      return Block(model.w(), model.w() + g_.size());
    };
    const auto difference = [&](double h) {
      Block ahead = at(h);
      const Block behind = at(-h);
      for (std::size_t i = 0; i < ahead.size(); ++i) ahead[i] = (ahead[i] - behind[i]) / (2.0 * h);
      return ahead;
    };
    const DifferenceCheck result = compare_differences(
        difference, derivative, [&](const Block& x) { return norm(x); }, size, 1e-3 / largest,
        model.weight_error() * norm(w_));
    derivative_.add(result.error, result.tolerance, point.step, point.file);
  }

  Subject& subject_;
  std::unique_ptr<DynamicsMatrix> dynamics_;
  VecHandle gradient_, moved_;
  Block g_, w_;
  Worst inverse_, symmetry_, derivative_;
  Worst positive_{">="};
};

}  // namespace

std::unique_ptr<Claim> make_dynamics_matrix_claim(Subject& subject) {
  return std::make_unique<DynamicsMatrixClaim>(subject);
}

namespace {

/// Theorem 1 is about the flow. This compares the step size of a descent with the largest step size for which
/// the descent still follows the flow.
class StepLimitClaim final : public Claim {
 public:
  explicit StepLimitClaim(Subject& subject) : subject_(subject) {
    if (!exception().empty()) return;
    dynamics_ = std::make_unique<DynamicsMatrix>(subject.model().softmax(), subject.model().gamma(),
                                                 subject.layout().outputs());
    solver_ = std::make_unique<StepLimitSolver>(subject.model(), subject.loss(), *dynamics_);
  }

  void see(const RunPoint& point) override {
    if (!point.chosen || !solver_) return;
    static const LogEvent event("AuditStepLimit");
    const auto scope = event.begin();
    (void)subject_.model().set_parameters(point.theta);
    dynamics_->update(subject_.model().w());
    const StepLimit limit = solver_->measure();
    DynamicsState state = subject_.experiment().state();
    state.step = point.step;
    steps_.add(step_size(state).value_or(std::nan("")), limit.local, point.step, point.file);
    guaranteed_ = std::min(guaranteed_, limit.guaranteed);
  }

  void judge(VerdictTable& table) override {
    Row row = steps_.row("step_limit", "step size against the largest stable one near the optimum", "5",
                         exception());
    if (row.state != RowState::does_not_apply) {
      row.state = RowState::observed;
      row.note = "the flow's rate is guaranteed to first order below " + brief(guaranteed_, 4);
    }
    table.add(std::move(row));
  }

 private:
  [[nodiscard]] std::optional<double> step_size(const DynamicsState& state) const {
    return subject_.settings().dynamics->step_size(state, subject_.experiment().max_steps());
  }
  [[nodiscard]] std::string exception() const {
    if (!step_size({})) return "-dynamics " + subject_.settings().dynamics->name();
    if (!subject_.linear()) return "only -model softmax_linear";
    return subject_.beyond_the_theorem().empty() ? "" : "the run has " + subject_.beyond_the_theorem();
  }

  Subject& subject_;
  std::unique_ptr<DynamicsMatrix> dynamics_;
  std::unique_ptr<StepLimitSolver> solver_;
  Worst steps_;
  double guaranteed_ = std::numeric_limits<double>::infinity();
};

}  // namespace

std::unique_ptr<Claim> make_step_limit_claim(Subject& subject) {
  return std::make_unique<StepLimitClaim>(subject);
}

}  // namespace audit
}  // namespace poise
