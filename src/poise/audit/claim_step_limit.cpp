#include <algorithm>
#include <cmath>
#include <optional>

#include "poise/audit/claims.hpp"
#include "poise/base/brief.hpp"
#include "poise/base/log_event.hpp"
#include "poise/theory/step_limit.hpp"

namespace poise {
namespace {

/// Theorem 1 is about the flow; how far the steps of a descent are below the largest one that follows it.
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

}  // namespace poise
