#include <algorithm>
#include <cmath>

#include "poise/audit/claims.hpp"
#include "poise/base/log_event.hpp"
#include "poise/theory/trust_region_newton.hpp"

namespace poise {
inline namespace audit {
namespace {

/// Checks Theorem 2 at a few checkpoints. It is proven for one output; for more outputs the rows are
/// observed.
class NewtonClaim final : public Claim {
 public:
  explicit NewtonClaim(Subject& subject) : subject_(subject) {
    if (!subject.linear() || !has_curvature()) return;
    dynamics_ = std::make_unique<DynamicsMatrix>(subject.model().softmax(), subject.model().gamma(),
                                                 subject.layout().outputs());
    check_ = std::make_unique<TrustRegionNewtonCheck>(subject.model(), subject.loss(), *dynamics_,
                                                      subject.settings().seed);
  }

  void see(const RunPoint& point) override {
    if (!point.chosen || !check_ || point.gradient_norm == 0.0) return;
    static const LogEvent event("AuditTheoremTwo");
    const auto scope = event.begin();
    (void)subject_.model().set_parameters(point.theta);
    dynamics_->update(subject_.model().w());
    const TrustRegionNewton found = check_->measure();
    const double tolerance = tolerance_of(found);
    direction_.add(found.direction_error, tolerance, point.step, point.file);
    radius_.add(found.radius_error, tolerance, point.step, point.file);
    multiplier_.add(found.multiplier_error, tolerance, point.step, point.file);
  }

  void judge(VerdictTable& table) override {
    const std::string why = !subject_.linear() ? "only -model softmax_linear"
                            : !has_curvature()
                                ? "-loss " + subject_.problem().loss->name() + " states no curvature"
                                : "";
    add(table,
        direction_.row("theorem2_direction", "Theorem 2: dW/dt is the trust-region Newton step", "6", why));
    add(table, radius_.row("theorem2_radius", "Theorem 2: the step is on the boundary", "6", why));
    add(table, multiplier_.row("theorem2_multiplier", "Theorem 2: the multiplier is 1/delta", "6", why));
  }

 private:
  [[nodiscard]] bool has_curvature() const { return subject_.problem().loss->has_curvature(); }

  /// The tolerance of the inner solves times the condition of U and of the shifted problem, which is at most
  /// 4 for δ = δ̄/2; the factor 1e3 is for sums and the iterations of the Krylov space.
  [[nodiscard]] double tolerance_of(const TrustRegionNewton& found) const {
    const double gamma = subject_.model().gamma();
    const double condition = (1.0 + gamma) / (1.0 - gamma);
    return std::clamp(4e3 * condition * std::max(found.inner_tolerance, subject_.model().weight_error()),
                      1e-12, 1e-4);
  }

  void add(VerdictTable& table, Row row) const {
    if (subject_.layout().outputs() > 1 && row.state == RowState::held) {
      row.state = RowState::observed;
      row.note = "proven for one output";
    }
    table.add(std::move(row));
  }

  Subject& subject_;
  std::unique_ptr<DynamicsMatrix> dynamics_;
  std::unique_ptr<TrustRegionNewtonCheck> check_;
  Worst direction_, radius_, multiplier_;
};

}  // namespace

std::unique_ptr<Claim> make_newton_claim(Subject& subject) {
  return std::make_unique<NewtonClaim>(subject);
}

}  // namespace audit
}  // namespace poise
