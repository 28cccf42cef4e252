#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "poise/audit/claims.hpp"
#include "poise/audit/run_checkpoints.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/text.hpp"
#include "poise/theory/classification_rates.hpp"
#include "poise/theory/least_squares_reference.hpp"
#include "poise/theory/live_audit.hpp"
#include "poise/theory/rank_reductions.hpp"

namespace poise {
inline namespace audit {
namespace {

/// Collective on the world. Excess and constants relative to the optimum over |W_ij| <= `box`, which may be
/// infinite. Returns null if the optimum is not found, and `why` gives the reason.
std::unique_ptr<ClassificationRates> find_rates(ShallowLoss& loss, double box, std::string& why) {
  static const LogEvent event("AuditConvexOptimum");
  const auto scope = event.begin();
  try {
    return std::make_unique<ClassificationRates>(loss, solve_convex_optimum(loss, {.box = box}));
  } catch (const Error& error) {
    if (!error.collective()) throw;
    why = first_line(error.what());
    return nullptr;
  }
}

/// THEORY.md 5.3 if the infimum is not attained: the excess over the optimum in the smallest box |W_ij| <= r
/// that contains every seen W, and the constant for the outputs that were reached. The box is only known at
/// the end, so the weights are kept: m q numbers per point, over all ranks.
class BoxRates {
 public:
  /// Not collective. `loss` must outlive it.
  explicit BoxRates(ShallowLoss& loss) : loss_(loss) {}
  /// Not collective. `sample` as LiveAudit measured it.
  void keep(const double* w, const AuditSample& sample, const std::string& file);

  struct Point {
    AuditSample sample;  ///< excess and gradient relative to the optimum in the box
    double uncertainty = 0.0;
    std::string file;
  };
  /// Collective on the world. Solves for the optimum and measures all kept points. Returns why that is
  /// impossible, or an empty text.
  [[nodiscard]] std::string solve();
  [[nodiscard]] const std::vector<Point>& points() const { return points_; }
  [[nodiscard]] double kappa() const { return kappa_; }
  /// "L* = … on |W_ij| <= …".
  [[nodiscard]] const std::string& statement() const { return statement_; }

 private:
  ShallowLoss& loss_;
  std::vector<Point> points_;
  std::vector<std::vector<double>> weights_;
  double kappa_ = 0.0;
  std::string statement_;
};

void BoxRates::keep(const double* w, const AuditSample& sample, const std::string& file) {
  points_.push_back({sample, 0.0, file});
  weights_.emplace_back(w, w + loss_.layout().slice().size() * loss_.layout().outputs());
}

std::string BoxRates::solve() {
  double largest = 0.0;
  for (const auto& w : weights_) largest = std::max(largest, largest_entry(loss_.layout(), w.data()));
  if (!(largest > 0.0)) return "all weights are 0";
  constexpr double room = 1.0 + 1e-7;  // rounding must not move a W outside the box
  std::string why;
  const std::unique_ptr<ClassificationRates> rates = find_rates(loss_, room * largest, why);
  if (!rates) return why;
  for (std::size_t k = 0; k < points_.size(); ++k)
    points_[k].uncertainty = rates->measure(weights_[k].data(), points_[k].sample);
  kappa_ = rates->kappa_outputs();
  statement_ = fmt::format("L* = {:.6g} on |W_ij| <= {:.4g}", rates->optimum().loss, rates->optimum().box);
  return rates->obstacle();
}

constexpr double share = 1e-9;      // relative tolerance for ratios of measured numbers
constexpr double resolved = 100.0;  // κ_t is measured where the excess is this many times its uncertainty

/// A note about L*.
std::string known_of(const ClassificationRates& rates) {
  const ConvexOptimum& optimum = rates.optimum();
  if (!optimum.attained) return "L* = 0: the data are separable";
  const std::string known = fmt::format("L* = {:.6g} within {:.1g}", optimum.loss, optimum.error_bound);
  const std::string obstacle = rates.obstacle();
  return obstacle.empty() ? known : known + "; " + obstacle;
}

/// Audits Theorem 1 at every seen point. For the squared loss κ and L* are known. For classification they
/// come from ClassificationRates; if the infimum is not attained or not found, the audit uses the smallest
/// measured κ_t and the excess L − 0.
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
    // The live audit needs increasing times, whatever the files say, so it gets the number of the point.
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
    // If no κ is known, use the smallest measured κ_t.
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

  /// Collective. Runs once, but not in the constructor: it takes long, and the options are checked after
  /// that.
  void find_optimum() {
    if (!needs_optimum() || sought_) return;
    sought_ = true;
    classification_ = find_rates(subject_.loss(), std::numeric_limits<double>::infinity(), lost_);
    lost_ = lost_.substr(0, lost_.find(';'));  // the cause without the advice
    if (!classification_ || !classification_->optimum().attained)
      box_ = std::make_unique<BoxRates>(subject_.loss());
  }

  /// The rows for an infimum that is not attained. They cover the start and the checkpoints only, because the
  /// weights of the steps between are not kept.
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

  /// Checks ‖∇L₀‖² >= κ (L₀ − L*) at the points whose excess is resolved.
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
  std::unique_ptr<BoxRates> box_;  // if L* is not attained or not found
  RateSamples samples_;
  std::vector<double> uncertainties_;
  Worst floor_{">="};
};

}  // namespace

std::unique_ptr<Claim> make_rates_claim(Subject& subject) {
  return std::make_unique<RatesClaim>(subject);
}

namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

/// Checks L* and W* of the squared loss in a different way than they are computed: from the residual of every
/// sample. The loss is convex, so W* is an optimum if its gradient vanishes, and L* is the loss there.
class OptimumClaim final : public Claim {
 public:
  explicit OptimumClaim(Subject& subject) : subject_(subject) {}

  void see(const RunPoint&) override {}

  void judge(VerdictTable& table) override {
    const std::string loss_claim = "L* equals the loss of W* summed over the samples";
    const std::string gradient_claim = "gradient at W* vanishes, summed over the samples";
    const std::string why =
        !subject_.linear() ? "no closed form of L* is known for this model"
        : !subject_.problem().loss->least_squares()
            ? !subject_.problem().loss->has_proven_rate()
                  ? "no L* is known for -loss " + subject_.problem().loss->name()
                  : "L* of -loss " + subject_.problem().loss->name() + " is proved by its certificate"
            : "";
    if (!why.empty()) {
      table.add(does_not_apply("optimum", loss_claim, "5.2", why));
      table.add(does_not_apply("optimum_gradient", gradient_claim, "5.2", why));
      return;
    }
    measure();
    Worst loss, gradient;
    loss.add(std::abs(residual_loss_ - optimal_loss_), loss_allowance_, -1);
    gradient.add(gradient_norm_, gradient_allowance_, -1);
    Row row = loss.row("optimum", loss_claim, "5.2");
    row.note = "L* = " + brief(subject_.problem().loss_unit * optimal_loss_, 10);
    table.add(row);
    table.add(gradient.row("optimum_gradient", gradient_claim, "5.2"));
  }

 private:
  void measure() {
    ShallowLoss& loss = subject_.loss();
    const Problem& problem = subject_.problem();
    const Index q = problem.outputs;
    const double s = problem.scale(problem.train.total);
    const LeastSquaresReference reference(*loss.factor(), q, s);
    optimal_loss_ = reference.optimal_loss();
    std::vector<double> gradient(reference.optimum().size());
    LossSum sum;
    const auto visit = [&](Index first, Index columns, double* f) {
      sum.loss += problem.loss
                      ->evaluate(q, columns, f, problem.train.targets.data() + first * q, f,
                                 problem.train.weights_from(first))
                      .loss;
    };
    loss.sum_over_outputs(reference.optimum().data(), problem.train, visit, gradient.data());
    residual_loss_ = s * sum_over_samples(subject_.grid(), sum).loss;
    std::vector<double> norms2{0.0, 0.0};
    for (std::size_t e = 0; e < gradient.size(); ++e) {
      norms2[0] += gradient[e] * gradient[e];
      norms2[1] += reference.optimum()[e] * reference.optimum()[e];
    }
    sum_over_ranks(subject_.grid().world(), norms2);
    gradient_norm_ = std::sqrt(norms2[0]);
    // The error of the outputs is ε times the terms that they sum up, ‖W*‖‖Φ‖, and times the targets.
    const auto m = static_cast<double>(subject_.layout().width());
    const double size =
        reference.svd().largest() * std::sqrt(norms2[1]) + std::sqrt(loss.factor()->targets_norm2);
    const double lost = 8.0 * epsilon * std::sqrt(m) * size;  // error of ‖W*Φ − Y‖
    loss_allowance_ = 2.0 * std::sqrt(s * optimal_loss_) * lost + s * lost * lost +
                      8.0 * epsilon * optimal_loss_ + reference.optimal_loss_rounding();
    gradient_allowance_ = 2.0 * s * reference.svd().largest() * lost;
  }

  Subject& subject_;
  double optimal_loss_ = 0.0, residual_loss_ = 0.0, gradient_norm_ = 0.0, loss_allowance_ = 0.0,
         gradient_allowance_ = 0.0;
};

}  // namespace

std::unique_ptr<Claim> make_optimum_claim(Subject& subject) {
  return std::make_unique<OptimumClaim>(subject);
}

}  // namespace audit
}  // namespace poise
