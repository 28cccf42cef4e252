#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "poise/audit/box_rates.hpp"
#include "poise/audit/claims.hpp"
#include "poise/audit/rate_rows.hpp"
#include "poise/theory/live_audit.hpp"

namespace poise {
namespace {

constexpr double share = 1e-9;      // of a ratio of two measured numbers
constexpr double resolved = 100.0;  // an excess above so many times its uncertainty gives a κ_t

/// What is known of L*, for a note.
std::string known_of(const ClassificationRates& rates) {
  const ConvexOptimum& optimum = rates.optimum();
  if (!optimum.attained) return "L* = 0: the data are separable";
  const std::string known = fmt::format("L* = {:.6g} within {:.1g}", optimum.loss, optimum.error_bound);
  const std::string obstacle = rates.obstacle();
  return obstacle.empty() ? known : known + "; " + obstacle;
}

/// What the audit of Theorem 1 measures at every point that is seen, and the bounds over all of them. Squared
/// loss: κ and L* are known. Classification: those of ClassificationRates, or where the infimum is not
/// attained or not found the smallest κ_t, of L − 0.
class RatesClaim final : public Claim {
 public:
  explicit RatesClaim(Subject& subject) : subject_(subject) {
    if (!subject.linear() || !subject.problem().loss->has_proven_rate()) return;
    live_ = std::make_unique<LiveAudit>(subject.model(), subject.loss(), subject.settings().seed);
    if (needs_optimum()) consult_convex_optimum(subject.grid().world());
  }

  void see(const RunPoint& point) override {
    if (!live_) return;
    if (point.kind != RunPoint::Kind::checkpoint && !subject_.beyond_the_theorem().empty()) return;
    find_optimum();
    // The live audit wants times in order, whatever the files say: it gets the number of the point.
    AuditSample sample = live_
                             ->observe(point.step, static_cast<double>(samples_.size()), point.theta,
                                       point.gradient_norm, point.local_error_sum)
                             .sample;
    sample.t = point.t;
    if (box_ && point.kind != RunPoint::Kind::step) box_->keep(subject_.model().w(), sample, point.file);
    double uncertainty = live_->constants().excess_rounding;
    if (classification_) uncertainty = classification_->measure(subject_.model().w(), sample);
    samples_.add(sample, point.file);
    uncertainties_.push_back(uncertainty);
    floor_.add(sample.lambda_min, live_->constants().lambda_floor * (1.0 - share), point.step, point.file);
  }

  void judge(VerdictTable& table) override {
    find_optimum();
    const std::string why = no_theorem();
    table.add(floor_.row("lambda_floor", "smallest eigenvalue of D is above its floor", "4.4", why));
    AuditConstants constants;
    std::string known;
    if (live_ && !samples_.empty()) {
      constants = live_->constants();
      if (classification_) {
        constants.kappa = classification_->kappa_outputs();
        known = known_of(*classification_);
      } else if (!lost_.empty()) {
        known = "no L* is proved (" + lost_ + "): L - 0 is audited, as no loss is below 0";
      }
    }
    table.add(kappa_row(samples_, uncertainties_, constants.kappa,
                        !std::isnan(constants.kappa) ? ""
                        : !why.empty()               ? why
                        : !lost_.empty()             ? lost_
                                                     : known));
    // Where no κ is known, the smallest measured one.
    if (std::isnan(constants.kappa)) {
      constants.kappa = samples_.smallest_kappa();
      known += (known.empty() ? "" : "; ") + std::string("smallest kappa measured");
    }
    add_bound(table, samples_,
              {.id = "theorem1", .claim = "Theorem 1: excess loss over its bound", .item = "5"}, constants,
              false, known);
    if (classification_ && !samples_.empty() && !std::isnan(classification_->kappa_ball())) {
      AuditConstants ball = constants;
      ball.kappa = classification_->kappa_ball();
      add_bound(table, samples_,
                {.id = "theorem1_ball",
                 .claim = "Theorem 1 with the constant of the ball |W|_1 <= R",
                 .item = "5.3"},
                ball, false, radius_text());
    }
    add_bound(table, samples_,
              {.id = "theorem1_integrated", .claim = "Theorem 1 with the integrated exponent", .item = "5.1"},
              constants, true, {});
    if (box_ && !samples_.empty()) judge_box(table);
  }

 private:
  [[nodiscard]] bool needs_optimum() const { return live_ && !subject_.problem().loss->least_squares(); }

  /// Once, and not when the claim is made: it takes long, and the options are checked only after that.
  void find_optimum() {
    if (!needs_optimum() || sought_) return;
    sought_ = true;
    classification_ = find_rates(subject_.loss(), std::numeric_limits<double>::infinity(), lost_);
    lost_ = lost_.substr(0, lost_.find(';'));  // without the advice
    if (!classification_ || !classification_->optimum().attained)
      box_ = std::make_unique<BoxRates>(subject_.loss());
  }

  /// The a-priori rows where the infimum is not attained. The weights of steps taken again are not kept, so
  /// only the start and the checkpoints are seen.
  void judge_box(VerdictTable& table) {
    const std::string why = box_->solve();
    RateSamples samples;
    std::vector<double> uncertainties;
    for (const BoxRates::Point& point : box_->points()) {
      samples.add(point.sample, point.file);
      uncertainties.push_back(point.uncertainty);
    }
    Row row = kappa_row(samples, uncertainties, box_->kappa(), why);
    row.id = "kappa_box";
    row.claim += ", in a box";
    if (row.state == RowState::held) row.note = box_->statement();
    table.add(row);
    AuditConstants constants = live_->constants();
    constants.kappa = box_->kappa();
    Row bound{.id = "theorem1_box", .claim = "Theorem 1 from the optimum in that box", .item = "5.3"};
    if (why.empty())
      add_bound(table, samples, bound, constants, false, {});
    else
      table.add(does_not_apply(bound.id, bound.claim, bound.item, why));
  }

  [[nodiscard]] std::string radius_text() const {
    return fmt::format("R = {:.4g}", classification_->radius());
  }

  [[nodiscard]] std::string no_theorem() const {
    if (!subject_.network().has_equilibrium_model())
      return "no theorem is known for -objective " + subject_.network().objective;
    if (!subject_.problem().loss->has_proven_rate())
      return "no theorem is known for -loss " + subject_.problem().loss->name();
    return live_ ? "" : "no theorem is known for -model " + subject_.network().model;
  }

  /// ‖∇L₀‖² >= κ (L₀ − L*), where the excess is resolved.
  [[nodiscard]] Row kappa_row(const RateSamples& samples, const std::vector<double>& uncertainties,
                              double kappa, const std::string& why_not) const {
    Worst worst(">=");
    const auto& all = samples.samples();
    for (std::size_t k = 0; k < all.size() && why_not.empty(); ++k)
      if (!(all[k].excess <= resolved * uncertainties[k]))
        worst.add(all[k].grad_norm2 / all[k].excess, kappa * (1.0 - share), all[k].step, samples.files()[k]);
    return worst.row("kappa", "|grad L0|^2 over the excess is at least kappa",
                     subject_.problem().loss->least_squares() ? "5.2" : "5.3", why_not);
  }

  void add_bound(VerdictTable& table, const RateSamples& samples, Row row, const AuditConstants& constants,
                 bool integrated, const std::string& known) const {
    const std::string beyond = no_theorem().empty() ? subject_.beyond_the_theorem() : "";
    const std::string why = !beyond.empty() ? "the run has " + beyond : no_theorem();
    if (!why.empty() || samples.empty()) return table.add(does_not_apply(row.id, row.claim, row.item, why));
    row = samples.judge(row, constants, integrated);
    if (!known.empty() && row.state == RowState::held) row.note += "; " + known;
    table.add(row);
  }

  Subject& subject_;
  std::unique_ptr<LiveAudit> live_;
  bool sought_ = false;
  std::unique_ptr<ClassificationRates> classification_;
  std::string lost_;               // why L* was not found
  std::unique_ptr<BoxRates> box_;  // where L* has no comparator
  RateSamples samples_;
  std::vector<double> uncertainties_;
  Worst floor_{">="};
};

}  // namespace

std::unique_ptr<Claim> make_rates_claim(Subject& subject) {
  return std::make_unique<RatesClaim>(subject);
}

}  // namespace poise
