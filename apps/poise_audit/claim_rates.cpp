#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "poise/theory/live_audit.hpp"
#include "poise_audit/claims.hpp"

namespace poise {
namespace {

constexpr double no_constant = std::numeric_limits<double>::quiet_NaN();
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
    samples_.push_back(sample);
    files_.push_back(point.file);
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
  /// Where no κ is known, the smallest measured one: of L − 0, for L* is not known either.
  [[nodiscard]] double kappa_for_bound() const {
    if (!std::isnan(live_->constants().kappa)) return live_->constants().kappa;
    double smallest = std::numeric_limits<double>::infinity();
    for (const AuditSample& sample : samples_)
      if (sample.excess > 0.0) smallest = std::min(smallest, sample.grad_norm2 / sample.excess);
    return std::isfinite(smallest) ? smallest : 0.0;
  }

  [[nodiscard]] std::string what_was_seen(const RateAudit& rates) const {
    char tightness[64] = "";
    if (std::isfinite(rates.smallest_tightness()))
      std::snprintf(tightness, sizeof tightness, "; measured over guaranteed exponent at least %.4g",
                    rates.smallest_tightness());
    return "at " + std::to_string(samples_.size()) + " times" + tightness +
           (std::isnan(live_->constants().kappa) ? "; smallest kappa measured, L* taken as 0" : "");
  }

  /// A RateAudit tells both exponents; here each has its own, with the other one at 0, where its bound is
  /// E₀, which both imply.
  void judge_bound(VerdictTable& table, const std::string& id, const std::string& claim,
                   const std::string& item, const std::string& reason, bool integrated) {
    if (!reason.empty()) return table.add(does_not_apply(id, claim, item, reason));
    if (samples_.empty()) return table.add(does_not_apply(id, claim, item, "nothing could be evaluated"));
    AuditConstants constants = live_->constants();
    constants.lambda_floor = 0.0;  // a row of its own
    constants.kappa = integrated ? 0.0 : kappa_for_bound();
    RateAudit rates(constants);
    Row row{.id = id, .claim = claim, .item = item, .measured = 0.0, .required = 1.0};
    row.state = RowState::held;
    double margin = rates.worst_margin();
    for (std::size_t k = 0; k < samples_.size(); ++k) {
      AuditSample sample = samples_[k];
      if (!integrated) sample.grad_norm2 = 0.0;
      if (k > 0 && !(sample.t >= samples_[k - 1].t)) return table.add(unordered(row, k));
      const bool held = rates.add(sample).held;
      if (!held && row.state == RowState::held) {
        row.state = RowState::not_held;
        row.step = sample.step;
        row.file = files_[k];
        row.note = rates.first_violation()->text();
        row.measured = exceedance(*rates.first_violation());
      } else if (row.state == RowState::held && rates.worst_margin() < margin) {
        margin = rates.worst_margin();
        row.step = sample.step;
        row.file = files_[k];
        row.measured = 1.0 - margin;
      }
    }
    if (row.state == RowState::held) row.note = what_was_seen(rates);
    table.add(row);
  }

  static double exceedance(const Violation& violation) {
    return violation.kind == Violation::Kind::not_finite
               ? std::numeric_limits<double>::quiet_NaN()
               : violation.measured / (violation.required + violation.allowance);
  }

  [[nodiscard]] Row unordered(Row row, std::size_t k) const {
    row.state = RowState::not_held;
    row.measured = std::numeric_limits<double>::quiet_NaN();
    row.step = samples_[k].step;
    row.file = files_[k];
    row.note = "its time is before that of the step before";
    return row;
  }

  Subject& subject_;
  std::unique_ptr<LiveAudit> live_;
  std::vector<AuditSample> samples_;
  std::vector<std::string> files_;
  Worst floor_{">="}, kappa_{">="};
};

}  // namespace

std::unique_ptr<Claim> make_rates_claim(Subject& subject) {
  return std::make_unique<RatesClaim>(subject);
}

}  // namespace poise
