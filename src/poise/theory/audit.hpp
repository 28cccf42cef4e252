#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace poise {

/// What Theorem 1 is audited with, or another theorem of its form: d(L − L*)/dt <= −κ_t λ_min (L − L*).
struct AuditConstants {
  /// κ of THEORY.md 5.2, or NaN where no global constant is known: then the infimum of the measured κ_t is
  /// used.
  double kappa = std::numeric_limits<double>::quiet_NaN();
  double lambda_floor = 0.0;                        ///< THEORY.md 4.4
  double excess_rounding = 0.0;                     ///< excess that rounding alone can leave
  std::string theorem = "Theorem 1", matrix = "D";  ///< in texts: what is audited, whose λ_min it is about
};

/// What was measured at one time of the flow.
struct AuditSample {
  std::int64_t step = 0;
  double t = 0.0;
  double loss = 0.0;
  /// L − L*. Where L* is not known, L − c for any known c <= L* (0 for the losses here): the inequality of
  /// the proof, d(L − c)/dt <= −λ_min κ_t (L − c) with κ_t = ‖∇L₀‖²/(L − c), holds for each such c.
  double excess = 0.0;
  double grad_norm2 = 0.0;    ///< ‖∇L₀(W)‖_F²
  double lambda_min = 0.0;    ///< of D, as computed: the best estimate, which is never too small
  double lambda_error = 0.0;  ///< by how much it may be too large: an audit must not fail for that
  /// Absolute uncertainty of the excess, stated by the integrator; inf where it states none.
  double integration_error = 0.0;
  double lambda_floor = 0.0;  ///< of this time, where it is above that of the constants
};

/// The comparison of an excess with one bound.
struct BoundCheck {
  bool held = true;  ///< the excess is at most the bound and its allowance (RateAudit)
  /// Whether bound and excess can be told from E₀ and from 0: exponent above 1e-6, excess above its
  /// uncertainty. Extremes of the tightness are over such times.
  bool resolved = false;
};

/// One row of the audit's history.
struct AuditRow {
  double kappa_measured = 0.0;    ///< κ_t; NaN if the excess is 0
  double lambda_T = 0.0;          ///< inf of λ_min so far
  double bound = 0.0;             ///< THEORY.md 5: E₀ exp(−κ λ_T (t − t₀))
  double bound_integrated = 0.0;  ///< THEORY.md 5.1
  double floor = 0.0;             ///< THEORY.md 4.4
  /// Measured exponent ln(E₀/E) over the bound's; 1 is sharp, NaN while the bound's exponent is 0.
  double tightness = 0.0;
  double tightness_integrated = 0.0;
  bool held = true;  ///< nothing was violated here
  BoundCheck check, check_integrated;
};

/// Something that Theorem 1 excludes, beyond integration error and rounding.
struct Violation {
  enum class Kind { bound, bound_integrated, floor, not_finite };
  Kind kind = Kind::bound;
  std::int64_t step = 0;
  double t = 0.0;
  double measured = 0.0;
  double required = 0.0;   ///< the bound on it, before the allowance
  double allowance = 0.0;  ///< integration error, eigenvalue error and rounding
  [[nodiscard]] std::string text(const std::string& theorem = "Theorem 1",
                                 const std::string& matrix = "D") const;
};

/// What an audit has found. Not verified: what the integrator may have done wrong is more than what was
/// claimed.
enum class AuditOutcome { held, violated, not_verified };
[[nodiscard]] std::string to_string(AuditOutcome outcome);

/// What an audit measured at one point of a run.
struct AuditPoint {
  AuditSample sample;
  AuditRow row;
};

/// Live audit of Theorem 1 (THEORY.md 5, 5.1, 5.4): bookkeeping only, no communication; identical input gives
/// identical rows on every rank.
///
/// The integrated exponent is a lower Riemann sum, Σ Δt min(rate_i, rate_{i+1}), rate = κ_t λ_min: the bound
/// from it is a true one if the rate is monotone between audited times. λ_T and the infimum of κ_t are
/// likewise infima over audited times. So audit every step.
///
/// Rows hold the bounds of the computed λ_min. What is tested is the bound with λ_min − lambda_error in its
/// place, so the eigensolver's residual, which changes with the grid, decides nothing and is not recorded.
///
/// Three outcomes. A time where the excess is above bound and allowance violates the theorem. A time where it
/// is above the bound and only an integration error larger than the bound itself excuses it is *unverified*:
/// it would excuse anything. So is every time of an integrator that states no error. The run is verified if
/// no time is unverified, and if the integration error was below the bound at some time where the bound's
/// exponent is resolved. (Later it may exceed the bound: as the excess vanishes, so does what was wrong with
/// it, which the sum of local errors does not know.)
///
/// Allowance, the one of all programs: what the bound grows by that, + integration_error + `rounding_share`
/// (1 + x) bound + excess_rounding, x the bound's exponent. Derivation: the bound is E₀ e^{−x}, x the
/// integral of κ λ_min. A relative error δ of κ λ_min makes it E₀ e^{−x(1 − δ)} = bound e^{xδ}, which is
/// bound (1 + xδ) for small xδ; rounding of E₀ and of the exponential adds a few ε of the bound. δ and ε are
/// below `rounding_share`. The eigensolver's stated error is not in it: it is the first term.
class RateAudit {
 public:
  static constexpr double rounding_share = 1e-10;

  explicit RateAudit(AuditConstants constants) : constants_(std::move(constants)) {}

  /// Enters a time; the first one gives E₀ and t₀. Throws failure if t is before the last one. NaN or Inf in
  /// the sample is a violation.
  AuditRow add(const AuditSample& sample);

  [[nodiscard]] std::int64_t points() const { return static_cast<std::int64_t>(state_.points); }
  [[nodiscard]] std::int64_t violations() const { return static_cast<std::int64_t>(state_.violations); }
  /// Whether nothing was violated.
  [[nodiscard]] bool held() const { return violations() == 0; }
  [[nodiscard]] AuditOutcome outcome() const;
  /// Times that an integration error above the bound excuses.
  [[nodiscard]] std::int64_t unverified() const { return static_cast<std::int64_t>(state_.unverified); }
  [[nodiscard]] const std::optional<Violation>& first_violation() const { return first_; }
  /// Extremes of the tightness of either bound, over times where both exponents are resolved (exponent above
  /// 1e-6, excess above its uncertainty); +inf and -inf before there is one. At least 1, up to the allowance,
  /// if it held.
  [[nodiscard]] double smallest_tightness() const { return state_.smallest_tightness; }
  [[nodiscard]] double largest_tightness() const { return state_.largest_tightness; }
  /// For a report: the smallest tightness, and of which times it is if not of all; empty before there is one.
  [[nodiscard]] std::string tightness_text() const;
  /// Smallest 1 − excess/(bound + allowance) of either bound after t₀; negative if violated.
  [[nodiscard]] double worst_margin() const { return state_.worst_margin; }
  /// One or two sentences for a report.
  [[nodiscard]] std::string verdict() const;

  /// Everything that `add` depends on, for a checkpoint: a restored audit goes on bitwise.
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
    double lower_lambda_T = infinity;  // of λ_min − lambda_error, as the other two "lower"
    double smallest_kappa = infinity;
    double integrated_exponent = 0.0;
    double lower_integrated_exponent = 0.0;
    double last_time = 0.0;
    double last_rate = 0.0;
    double lower_last_rate = 0.0;
    double smallest_tightness = infinity;
    double largest_tightness = -infinity;
    double worst_margin = infinity;
    // Those below are not in the files of an older Poise.
    double unverified = 0.0;                               // times
    double first_unverified = 0.0, last_unverified = 0.0;  // t of the first and the last
    double largest_excess_ratio = 0.0;                     // of excess over bound there
    double largest_error_ratio = 0.0;  // of integration error over bound, at all times of resolved exponents
    double resolved = 0.0,
           confirmed = 0.0;  // times with a resolved exponent; with an integration error below the bound
    double later = 0.0;      // times after t₀
    double measured = 0.0;   // times that the extremes of the tightness are of
    double unstated = 0.0;   // times whose integrator states no error
  };
  void advance(const AuditSample& sample, double kappa_measured);
  /// Compares with one bound; returns its tightness.
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

}  // namespace poise
