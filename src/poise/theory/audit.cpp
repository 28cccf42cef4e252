#include "poise/theory/audit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise {
inline namespace theory {
namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
/// λ_min is measured to about this relative error, so that a value just below the floor is no violation.
constexpr double floor_share = 1e-10;
/// The logarithm of a ratio near 1 has the error ε, which is below 1e-10 of an exponent above this.
constexpr double resolved_exponent = 1e-6;
/// How many numbers of the state are in files of an older Poise.
constexpr std::size_t old_state_size = 15;
/// Limit of the ratio of an error to a bound that has nearly vanished: larger ratios could overflow.
constexpr double largest_ratio = 1e300;
/// Numbers of a saved violation: present, kind, step, t, measured, required, allowance.
constexpr std::size_t violation_size = 7;

bool finite(const AuditSample& sample) {
  return std::isfinite(sample.t) && std::isfinite(sample.excess) && std::isfinite(sample.grad_norm2) &&
         std::isfinite(sample.lambda_min) && std::isfinite(sample.lambda_error) &&
         !std::isnan(sample.integration_error) && std::isfinite(sample.lambda_floor);
}

}  // namespace

std::string Violation::text(const std::string& theorem, const std::string& matrix) const {
  const std::string where = fmt::format("at t = {} (step {}) ", to_text(t), step);
  const double missing = std::abs(measured - required) - allowance;
  const std::string by = fmt::format(
      ", with {:.6g} allowed for integration, eigenvalues and rounding: off by {:.6g}{}", allowance, missing,
      required > 0.0 ? fmt::format(" ({:.6g} %)", 100.0 * missing / required) : "");
  switch (kind) {
    case Kind::bound:
      return where +
             fmt::format("the excess loss is {:.6g}, above the bound {:.6g} of {}", measured, required,
                         theorem) +
             by;
    case Kind::bound_integrated:
      return where +
             fmt::format("the excess loss is {:.6g}, above the integrated bound {:.6g}", measured, required) +
             by;
    case Kind::floor:
      return where +
             fmt::format("the smallest eigenvalue of {} is {:.6g}, below its floor {:.6g}", matrix, measured,
                         required) +
             by;
    case Kind::not_finite:
      break;
  }
  return where + "the excess loss, the gradient or the smallest eigenvalue of " + matrix + " is NaN or Inf";
}

AuditRow RateAudit::add(const AuditSample& sample) {
  if (state_.points > 0.0 && sample.t < state_.last_time)
    throw failure(
        fmt::format("the audit was given t = {} after t = {}", to_text(sample.t), to_text(state_.last_time)));
  AuditRow row;
  row.floor = std::max(constants_.lambda_floor, sample.lambda_floor);
  if (!finite(sample)) {
    state_.points += 1.0;
    row.kappa_measured = row.bound = row.bound_integrated = row.tightness = row.tightness_integrated =
        not_a_number;
    row.check.held = row.check_integrated.held = false;
    row.lambda_T = state_.lambda_T;
    report(row, {Violation::Kind::not_finite, sample.step, sample.t, sample.excess, 0.0, 0.0});
    return row;
  }
  row.kappa_measured = sample.excess > 0.0 ? sample.grad_norm2 / sample.excess : not_a_number;
  advance(sample, row.kappa_measured);
  row.lambda_T = state_.lambda_T;

  double kappa = std::isnan(constants_.kappa) ? state_.smallest_kappa : constants_.kappa;
  if (!std::isfinite(kappa)) kappa = 0.0;  // no time had an excess, so that the bound is E₀ = 0 anyway
  const double time = sample.t - state_.initial_time;
  if (time > 0.0) state_.later += 1.0;
  const double exponent = kappa * state_.lambda_T * time;
  row.bound = state_.initial_excess * std::exp(-exponent);
  row.bound_integrated = state_.initial_excess * std::exp(-state_.integrated_exponent);
  const double measured_before = state_.measured;
  row.tightness =
      compare(sample, Violation::Kind::bound, exponent, kappa * state_.lower_lambda_T * time, row, row.check);
  row.tightness_integrated = compare(sample, Violation::Kind::bound_integrated, state_.integrated_exponent,
                                     state_.lower_integrated_exponent, row, row.check_integrated);
  state_.measured = std::min(state_.measured, measured_before + 1.0);  // counts times, not bounds
  const double slack = floor_share * row.floor;
  if (sample.lambda_min < row.floor - slack)
    report(row, {Violation::Kind::floor, sample.step, sample.t, sample.lambda_min, row.floor, slack});
  return row;
}

void RateAudit::advance(const AuditSample& sample, double kappa_measured) {
  const double lower = sample.lambda_min - sample.lambda_error;
  state_.lambda_T = std::min(state_.lambda_T, sample.lambda_min);
  state_.lower_lambda_T = std::min(state_.lower_lambda_T, lower);
  if (!std::isnan(kappa_measured)) state_.smallest_kappa = std::min(state_.smallest_kappa, kappa_measured);
  // Without an excess κ_t is not defined; the global κ, or 0 (no decay), is a lower bound.
  double kappa = std::isnan(kappa_measured) ? constants_.kappa : kappa_measured;
  if (std::isnan(kappa)) kappa = 0.0;
  const double rate = kappa * sample.lambda_min;
  const double lower_rate = kappa * lower;
  if (state_.points == 0.0) {
    state_.initial_excess = sample.excess;
    state_.initial_time = sample.t;
  } else {
    const double time = sample.t - state_.last_time;
    state_.integrated_exponent += time * std::min(rate, state_.last_rate);
    state_.lower_integrated_exponent += time * std::min(lower_rate, state_.lower_last_rate);
  }
  state_.last_time = sample.t;
  state_.last_rate = rate;
  state_.lower_last_rate = lower_rate;
  state_.points += 1.0;
}

double RateAudit::compare(const AuditSample& sample, Violation::Kind kind, double exponent,
                          double lower_exponent, AuditRow& row, BoundCheck& check) {
  const double bound = state_.initial_excess * std::exp(-exponent);
  const double eigenvalue_error = bound * std::expm1(std::max(0.0, exponent - lower_exponent));
  const double other_allowance =
      eigenvalue_error + rounding_share * (1.0 + exponent) * bound + constants_.excess_rounding;
  const double allowance = other_allowance + sample.integration_error;
  const double allowed = bound + allowance;
  check.held = !(sample.excess > allowed);
  if (!check.held) report(row, {kind, sample.step, sample.t, sample.excess, bound, allowance});
  if (state_.points > 1.0) confirm(sample, bound, exponent, other_allowance);
  if (!(exponent > 0.0) || state_.initial_excess == 0.0) return not_a_number;
  state_.worst_margin = std::min(state_.worst_margin, 1.0 - sample.excess / allowed);
  const double tightness = std::log(state_.initial_excess / sample.excess) / exponent;
  // Extremes are taken only over times at which both exponents are resolved.
  check.resolved =
      exponent > resolved_exponent && sample.excess > sample.integration_error + constants_.excess_rounding;
  if (check.resolved) {
    state_.smallest_tightness = std::min(state_.smallest_tightness, tightness);
    state_.largest_tightness = std::max(state_.largest_tightness, tightness);
    state_.measured += 1.0;
  }
  return tightness;
}

/// Notes whether the integration error is so small that the comparison with a bound means something.
void RateAudit::confirm(const AuditSample& sample, double bound, double exponent, double other_allowance) {
  if (exponent > resolved_exponent) {
    state_.resolved += 1.0;
    if (sample.integration_error <= bound) state_.confirmed += 1.0;
    note_error_ratio(sample.integration_error, bound);
  }
  const bool excused = sample.excess > bound + other_allowance && sample.integration_error > bound;
  if (!excused && std::isfinite(sample.integration_error)) return;
  if (state_.unverified == 0.0) state_.first_unverified = sample.t;
  if (sample.t != state_.last_unverified || state_.unverified == 0.0) state_.unverified += 1.0;
  state_.last_unverified = sample.t;
  if (std::isinf(sample.integration_error)) state_.unstated += 1.0;
  note_error_ratio(sample.integration_error, bound);
  if (bound > 0.0)
    state_.largest_excess_ratio =
        std::max(state_.largest_excess_ratio, std::min(sample.excess / bound, largest_ratio));
}

void RateAudit::note_error_ratio(double error, double bound) {
  if (bound > 0.0)
    state_.largest_error_ratio = std::max(state_.largest_error_ratio, std::min(error / bound, largest_ratio));
}

AuditOutcome RateAudit::outcome() const {
  if (!held()) return AuditOutcome::violated;
  const bool meaningless = state_.resolved > 0.0 && state_.confirmed == 0.0;
  return state_.unverified > 0.0 || meaningless ? AuditOutcome::not_verified : AuditOutcome::held;
}

std::string RateAudit::why_not_verified(const std::string& times) const {
  std::string text = constants_.theorem + " is not verified: ";
  if (state_.unstated > 0.0)
    return text +
           "the integrator states no error, so that the true flow may be far away; use -flow_ts_type rk";
  if (state_.unverified > 0.0)
    text += fmt::format(
        "at {} of {}, first at t = {}, the excess is above the bound, by a factor of up to {:.6g}, and the "
        "integration error that may explain it is larger than the bound",
        unverified(), times, to_text(state_.first_unverified), state_.largest_excess_ratio);
  else
    text += "the stated integration error is larger than the bound at all " + times + " after the start";
  const double factor = std::pow(10.0, std::ceil(std::log10(state_.largest_error_ratio)) + 1.0);
  constexpr double most_factor = 1e7;  // from the default 1e-8 to the rounding of doubles
  text += fmt::format("; the error is up to {:.6g} times the bound: ", state_.largest_error_ratio);
  if (factor <= most_factor)
    return text + fmt::format("divide -flow_ts_rtol and -flow_ts_atol by {:.6g}", factor);
  return text + fmt::format(
                    "no tolerance in double precision is small enough (-flow_ts_rtol and -flow_ts_atol "
                    "would have to be divided by {:.6g}); bring targets and features to usual sizes "
                    "(-scale_targets, -features "
                    "whiten), or end the flow earlier (-time)",
                    factor);
}

std::string to_string(AuditOutcome outcome) {
  switch (outcome) {
    case AuditOutcome::held:
      return "held";
    case AuditOutcome::violated:
      return "violated";
    case AuditOutcome::not_verified:
      break;
  }
  return "not verified";
}

void RateAudit::report(AuditRow& row, const Violation& violation) {
  if (row.held) state_.violations += 1.0;  // counts times, not bounds
  row.held = false;
  if (!first_) first_ = violation;
}

std::string RateAudit::verdict() const {
  if (points() == 0) return constants_.theorem + ": nothing was audited";
  const std::string times = fmt::format("{} audited times", points());
  if (!held())
    return fmt::format("{} is violated at {} of {}; first {}", constants_.theorem, violations(), times,
                       first_->text(constants_.theorem, constants_.matrix));
  if (outcome() == AuditOutcome::not_verified) return why_not_verified(times);
  const std::string tightness = tightness_text();
  return "bound held at all " + times + (tightness.empty() ? "" : "; " + tightness);
}

std::string RateAudit::tightness_text() const {
  if (!std::isfinite(state_.smallest_tightness)) return "";
  std::string text =
      fmt::format("measured over guaranteed exponent at least {:.6g}", state_.smallest_tightness);
  if (state_.measured > 0.0 && state_.measured < state_.later)
    text += fmt::format(" (at the {:.0f} where the excess is above its uncertainty)", state_.measured);
  return text;
}

std::vector<double> RateAudit::save() const {
  const auto numbers = std::bit_cast<std::array<double, sizeof(State) / sizeof(double)>>(state_);
  std::vector<double> all(numbers.begin(), numbers.end());
  const Violation v = first_.value_or(Violation{});
  all.insert(all.end(), {first_ ? 1.0 : 0.0, static_cast<double>(v.kind), static_cast<double>(v.step), v.t,
                         v.measured, v.required, v.allowance});
  return all;
}

void RateAudit::restore(std::span<const double> numbers) {
  std::array<double, sizeof(State) / sizeof(double)> state{};
  const std::size_t stored = numbers.size() - std::min(numbers.size(), violation_size);
  if (stored != state.size() && stored != old_state_size)
    throw bad_input(fmt::format(
        "the stored state of the audit has {} numbers, not {}: it is from a different version of Poise",
        numbers.size(), state.size() + violation_size));
  state = std::bit_cast<std::array<double, sizeof(State) / sizeof(double)>>(State{});
  std::copy_n(numbers.begin(), stored, state.begin());
  state_ = std::bit_cast<State>(state);
  const auto v = numbers.subspan(stored);
  first_.reset();
  constexpr auto last_kind = static_cast<double>(Violation::Kind::not_finite);
  const auto is_count = [](double x) { return x >= 0 && x <= 0x1p53; };
  if (!is_count(state_.points) || !is_count(state_.violations) || !is_count(v[2]) ||
      !(v[1] >= 0 && v[1] <= last_kind))
    throw bad_input("the stored state of the audit is impossible: the file is damaged");
  if (v[0] != 0.0)
    first_ = Violation{static_cast<Violation::Kind>(static_cast<int>(v[1])),
                       static_cast<std::int64_t>(v[2]),
                       v[3],
                       v[4],
                       v[5],
                       v[6]};
}

}  // namespace theory
}  // namespace poise
