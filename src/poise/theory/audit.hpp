#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace poise {
inline namespace theory {

/// Constants of an audit of Theorem 1, or of a different theorem of the same form: d(L − L*)/dt <= −κ_t λ_min
/// (L − L*).
struct AuditConstants {
  /// κ of THEORY.md 5.2, or NaN if no global constant is known: then the audit uses the infimum of the
  /// measured κ_t.
  double kappa = std::numeric_limits<double>::quiet_NaN();
  double lambda_floor = 0.0;                        ///< THEORY.md 4.4
  double excess_rounding = 0.0;                     ///< largest excess that is only rounding
  std::string theorem = "Theorem 1", matrix = "D";  ///< names of theorem and matrix in texts
};

/// The measurements at one time of the flow.
struct AuditSample {
  std::int64_t step = 0;
  double t = 0.0;
  double loss = 0.0;
  /// L − L*. If L* is not known, L − c for any known c <= L* (0 for the losses of this library): the
  /// inequality of the proof, d(L − c)/dt <= −λ_min κ_t (L − c) with κ_t = ‖∇L₀‖²/(L − c), holds for every
  /// such c.
  double excess = 0.0;
  double grad_norm2 = 0.0;    ///< ‖∇L₀(W)‖_F²
  double lambda_min = 0.0;    ///< λ_min(D) as computed: the best estimate, never too small
  double lambda_error = 0.0;  ///< by how much lambda_min may be too large, which the audit allows for
  /// Absolute uncertainty of the excess, stated by the integrator; inf if the integrator states no error.
  double integration_error = 0.0;
  double lambda_floor = 0.0;  ///< floor at this time, if it is above AuditConstants::lambda_floor
};

/// The comparison of an excess with one bound.
struct BoundCheck {
  bool held = true;  ///< the excess is at most the bound and its allowance (RateAudit)
  /// Whether the bound differs measurably from E₀ and the excess from 0: exponent above 1e-6, excess above
  /// its uncertainty. Extremes of the tightness are taken over such times.
  bool resolved = false;
};

/// One row of the audit's history.
struct AuditRow {
  double kappa_measured = 0.0;    ///< κ_t; NaN if the excess is 0
  double lambda_T = 0.0;          ///< inf of λ_min so far
  double bound = 0.0;             ///< THEORY.md 5: E₀ exp(−κ λ_T (t − t₀))
  double bound_integrated = 0.0;  ///< THEORY.md 5.1
  double floor = 0.0;             ///< THEORY.md 4.4
  /// Measured exponent ln(E₀/E) over the exponent of the bound; 1 is sharp, NaN while the exponent of the
  /// bound is 0.
  double tightness = 0.0;
  double tightness_integrated = 0.0;
  bool held = true;  ///< nothing was violated at this time
  BoundCheck check, check_integrated;
};

/// A measurement that Theorem 1 excludes, beyond integration error and rounding.
struct Violation {
  enum class Kind { bound, bound_integrated, floor, not_finite };
  Kind kind = Kind::bound;
  std::int64_t step = 0;
  double t = 0.0;
  double measured = 0.0;
  double required = 0.0;   ///< the bound on `measured`, before the allowance
  double allowance = 0.0;  ///< integration error, eigenvalue error and rounding
  [[nodiscard]] std::string text(const std::string& theorem = "Theorem 1",
                                 const std::string& matrix = "D") const;
};

/// The outcome of an audit. Not verified: the possible error of the integrator is larger than the bound that
/// was claimed.
enum class AuditOutcome { held, violated, not_verified };
[[nodiscard]] std::string to_string(AuditOutcome outcome);

/// The measurements and the row of an audit at one point of a run.
struct AuditPoint {
  AuditSample sample;
  AuditRow row;
};

/// Live audit of Theorem 1 (THEORY.md 5, 5.1, 5.4). It only does the bookkeeping and does not communicate;
/// identical input gives identical rows on every rank.
///
/// The integrated exponent is a lower Riemann sum, Σ Δt min(rate_i, rate_{i+1}), rate = κ_t λ_min: the bound
/// with it is proven if the rate is monotone between audited times. λ_T and the infimum of κ_t are also
/// infima over audited times. So audit every step.
///
/// Rows hold the bounds with the computed λ_min. The audit tests the bound with λ_min − lambda_error in its
/// place, so that the eigensolver's residual, which changes with the grid, decides nothing and is not
/// recorded.
///
/// Three outcomes. A time at which the excess is above bound plus allowance violates the theorem. A time at
/// which the excess is above the bound, and only an integration error larger than the bound itself excuses
/// it, is *unverified*: such an error would excuse any excess. Every time of an integrator that states no
/// error is unverified too. The run is verified if no time is unverified, and if the integration error was
/// below the bound at some time with a resolved exponent. (Later the integration error may exceed the bound:
/// the true error vanishes with the excess, but the sum of local errors does not.)
///
/// Allowance, the same in all programs: the increase of the bound if λ_min − lambda_error replaces λ_min, +
/// integration_error + `rounding_share` (1 + x) bound + excess_rounding, x the exponent of the bound.
/// Derivation: the bound is E₀ e^{−x}, x the integral of κ λ_min. A relative error δ of κ λ_min makes it E₀
/// e^{−x(1 − δ)} = bound e^{xδ}, which is bound (1 + xδ) for small xδ; rounding of E₀ and of the exponential
/// adds a few ε of the bound. δ and ε are below `rounding_share`. δ does not include the eigensolver's stated
/// error, which is the first term.
class RateAudit {
 public:
  static constexpr double rounding_share = 1e-10;

  explicit RateAudit(AuditConstants constants) : constants_(std::move(constants)) {}

  /// Enters a time; the first time gives E₀ and t₀. Throws failure if t is before the last entered time. NaN
  /// or Inf in the sample is a violation.
  AuditRow add(const AuditSample& sample);

  [[nodiscard]] std::int64_t points() const { return static_cast<std::int64_t>(state_.points); }
  [[nodiscard]] std::int64_t violations() const { return static_cast<std::int64_t>(state_.violations); }
  /// Whether nothing was violated.
  [[nodiscard]] bool held() const { return violations() == 0; }
  [[nodiscard]] AuditOutcome outcome() const;
  /// Times at which only an integration error above the bound excuses the excess.
  [[nodiscard]] std::int64_t unverified() const { return static_cast<std::int64_t>(state_.unverified); }
  [[nodiscard]] const std::optional<Violation>& first_violation() const { return first_; }
  /// Extremes of the tightness of the two bounds, over times at which both exponents are resolved (exponent
  /// above 1e-6, excess above its uncertainty); +inf and -inf before the first such time. At least 1, up to
  /// the allowance, if the bounds held.
  [[nodiscard]] double smallest_tightness() const { return state_.smallest_tightness; }
  [[nodiscard]] double largest_tightness() const { return state_.largest_tightness; }
  /// For a report: the smallest tightness, and its times if these are not all times; empty before the first
  /// resolved time.
  [[nodiscard]] std::string tightness_text() const;
  /// Smallest 1 − excess/(bound + allowance) of the two bounds after t₀; negative if a bound is violated.
  [[nodiscard]] double worst_margin() const { return state_.worst_margin; }
  /// One or two sentences for a report.
  [[nodiscard]] std::string verdict() const;

  /// Everything that `add` depends on, for a checkpoint: a restored audit goes on bit for bit.
  [[nodiscard]] std::vector<double> save() const;
  /// Throws bad_input if `numbers` is not from `save`.
  void restore(std::span<const double> numbers);

 private:
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  /// Only doubles, so that it can be saved as it is.
  struct State {
    double points = 0.0;
    double violations = 0.0;
    double initial_excess = 0.0;
    double initial_time = 0.0;
    double lambda_T = infinity;
    double lower_lambda_T = infinity;  // as λ_min − lambda_error gives it, like the other two "lower" fields
    double smallest_kappa = infinity;
    double integrated_exponent = 0.0;
    double lower_integrated_exponent = 0.0;
    double last_time = 0.0;
    double last_rate = 0.0;
    double lower_last_rate = 0.0;
    double smallest_tightness = infinity;
    double largest_tightness = -infinity;
    double worst_margin = infinity;
    // Files of an older Poise lack the fields below.
    double unverified = 0.0;                               // number of unverified times
    double first_unverified = 0.0, last_unverified = 0.0;  // t of the first and the last of them
    double largest_excess_ratio = 0.0;                     // largest excess/bound at unverified times
    double largest_error_ratio = 0.0;  // largest integration error/bound, at all times with resolved exponent
    double resolved = 0.0;             // times with a resolved exponent
    double confirmed = 0.0;            // of these, times with an integration error below the bound
    double later = 0.0;                // times after t₀
    double measured = 0.0;             // times over which the extremes of the tightness are taken
    double unstated = 0.0;             // times at which the integrator states no error
  };
  void advance(const AuditSample& sample, double kappa_measured);
  /// Compares the excess with one bound; returns the tightness of the bound.
  double compare(const AuditSample& sample, Violation::Kind kind, double exponent, double lower_exponent,
                 AuditRow& row, BoundCheck& check);
  void confirm(const AuditSample& sample, double bound, double exponent, double other_allowance);
  void note_error_ratio(double error, double bound);
  void report(AuditRow& row, const Violation& violation);
  [[nodiscard]] std::string why_not_verified(const std::string& times) const;

  AuditConstants constants_;
  State state_;
  std::optional<Violation> first_;
};

}  // namespace theory
}  // namespace poise
