#include <cmath>

#include "poise/theory/live_audit.hpp"
#include "poise_audit/claims.hpp"
#include "poise_audit/rate_rows.hpp"

namespace poise {
namespace {

constexpr double share = 1e-9;  // of a ratio of two measured numbers

/// What the audit of Theorem 1 measures at every point that is seen, and the bounds over all of them.
class RatesClaim final : public Claim {
 public:
  explicit RatesClaim(Subject& subject) : subject_(subject) {
    if (subject.linear())
      live_ = std::make_unique<LiveAudit>(subject.model(), subject.loss(), subject.settings().seed);
  }

  void see(const RunPoint& point) override {
    if (!live_) return;
    if (point.kind != RunPoint::Kind::checkpoint && !subject_.beyond_the_theorem().empty()) return;
    // The live audit wants times in order, whatever the files say: it gets the number of the point.
    AuditSample sample = live_
                             ->observe(point.step, static_cast<double>(samples_.size()), point.theta,
                                       point.gradient_norm, point.local_error_sum)
                             .sample;
    sample.t = point.t;
    samples_.add(sample, point.file);
    const double floor = live_->constants().lambda_floor;
    floor_.add(sample.lambda_min, floor * (1.0 - share), point.step, point.file);
    const double kappa = live_->constants().kappa;
    if (!std::isnan(kappa) && !(sample.excess <= 100.0 * live_->constants().excess_rounding))
      kappa_.add(sample.grad_norm2 / sample.excess, kappa * (1.0 - share), point.step, point.file);
  }

  void judge(VerdictTable& table) override {
    const std::string linear = live_ ? "" : "no theorem is known for -model " + subject_.network().model;
    const std::string why = !subject_.network().has_equilibrium_model()
                                ? "no theorem is known for -objective " + subject_.network().objective
                                : linear;
    table.add(floor_.row("lambda_floor", "smallest eigenvalue of D is above its floor", "4.4", why));
    table.add(kappa_.row(
        "kappa", "|grad L0|^2 over the excess is at least kappa", "5.2",
        live_ ? "no global constant is known for -loss " + to_string(subject_.problem().loss) : why));
    const std::string beyond = subject_.beyond_the_theorem();
    const std::string reason = !why.empty() ? why : beyond.empty() ? "" : "the run has " + beyond;
    judge_bound(table, "theorem1", "Theorem 1: excess loss over its bound", "5", reason, false);
    judge_bound(table, "theorem1_integrated", "Theorem 1 with the integrated exponent", "5.1", reason, true);
  }

 private:
  void judge_bound(VerdictTable& table, const std::string& id, const std::string& claim,
                   const std::string& item, const std::string& reason, bool integrated) const {
    if (!reason.empty()) return table.add(does_not_apply(id, claim, item, reason));
    if (samples_.empty()) return table.add(does_not_apply(id, claim, item, "nothing could be evaluated"));
    // Where no κ is known, the smallest measured one: of L − 0, for L* is not known either.
    AuditConstants constants = live_->constants();
    const bool known = !std::isnan(constants.kappa);
    if (!known) constants.kappa = samples_.smallest_kappa();
    Row row = samples_.judge({.id = id, .claim = claim, .item = item}, constants, integrated);
    if (!known && row.state == RowState::held) row.note += "; smallest kappa measured, L* taken as 0";
    table.add(row);
  }

  Subject& subject_;
  std::unique_ptr<LiveAudit> live_;
  RateSamples samples_;
  Worst floor_{">="}, kappa_{">="};
};

}  // namespace

std::unique_ptr<Claim> make_rates_claim(Subject& subject) {
  return std::make_unique<RatesClaim>(subject);
}

}  // namespace poise
