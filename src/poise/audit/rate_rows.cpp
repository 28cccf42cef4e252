#include "poise/audit/rate_rows.hpp"

#include <algorithm>
#include <cmath>

namespace poise {
namespace {

double exceedance(const Violation& violation) {
  return violation.kind == Violation::Kind::not_finite
             ? std::numeric_limits<double>::quiet_NaN()
             : violation.measured / (violation.required + violation.allowance);
}

}  // namespace

double RateSamples::smallest_kappa() const {
  double smallest = std::numeric_limits<double>::infinity();
  for (const AuditSample& sample : samples_)
    if (sample.excess > 0.0) smallest = std::min(smallest, sample.grad_norm2 / sample.excess);
  return std::isfinite(smallest) ? smallest : 0.0;
}

// A RateAudit tells both exponents; here each has its own, with the other one at 0, where its bound is E₀,
// which both imply.
Row RateSamples::judge(Row row, AuditConstants constants, bool integrated) const {
  constants.lambda_floor = 0.0;
  if (integrated) constants.kappa = 0.0;
  const std::string theorem = constants.theorem, matrix = constants.matrix;
  RateAudit rates(constants);
  row.measured = 0.0;
  row.required = 1.0;
  row.state = RowState::held;
  double margin = rates.worst_margin();
  std::size_t times = 0;  // the start is there twice, as itself and as a checkpoint
  for (std::size_t k = 0; k < samples_.size(); ++k) {
    AuditSample sample = samples_[k];
    sample.lambda_floor = 0.0;
    if (!integrated) sample.grad_norm2 = 0.0;
    const bool ordered = k == 0 || sample.t >= samples_[k - 1].t;
    if (k == 0 || sample.t > samples_[k - 1].t) ++times;
    const bool held = ordered && rates.add(sample).held;
    if (held && !(rates.worst_margin() < margin)) continue;
    margin = rates.worst_margin();
    row.step = sample.step;
    row.file = files_[k];
    row.measured = 1.0 - margin;
    if (held) continue;
    row.state = RowState::not_held;
    row.measured = ordered ? exceedance(*rates.first_violation()) : std::numeric_limits<double>::quiet_NaN();
    row.note = ordered ? rates.first_violation()->text(theorem, matrix)
                       : "its time is before that of the step before";
    return row;
  }
  if (rates.outcome() == AuditOutcome::not_verified) {
    row.state = RowState::not_verified;
    row.note = rates.verdict();
    return row;
  }
  row.note = "at " + std::to_string(times) + " times";
  if (const std::string tightness = rates.tightness_text(); !tightness.empty()) row.note += "; " + tightness;
  return row;
}

}  // namespace poise
