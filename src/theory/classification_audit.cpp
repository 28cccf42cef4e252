#include "poise/theory/classification_audit.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"

namespace poise {
namespace {

/// A constant below this share of the measured one is true and of no use; a report says so.
constexpr double useful_share = 1e-3;

std::string brief(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

std::string compared(const std::string& name, double kappa, double measured) {
  std::string text = name + " = " + brief(kappa);
  if (std::isfinite(measured) && kappa < useful_share * measured)
    text += ", true and useless: the run had " + brief(measured) + " or more";
  return text;
}

}  // namespace

bool ClassificationAuditResult::held() const {
  return measured.rates.held() && (!ball || ball->rates.held()) && (!outputs || outputs->rates.held());
}

ClassificationAudit::ClassificationAudit(ShallowLoss& loss, const ConvexOptimum& optimum, double lambda_floor)
    : loss_(loss),
      optimum_(optimum),
      reference_(loss, optimum),
      constants_(loss),
      lambda_floor_(lambda_floor) {
  if (!optimum.attained) return;
  raise_output_spreads(loss, optimum.w.data(), spreads_);
  radius_ = induced_one_norm(loss.layout(), optimum.w.data());
}

void ClassificationAudit::observe(Index step, double t, const double* w, double lambda_min,
                                  double lambda_error, double integration_error) {
  const ClassificationReference::Distance distance = reference_.distance(w);
  AuditSample sample;
  sample.step = step;
  sample.t = t;
  sample.loss = distance.loss;
  sample.excess = distance.excess;
  sample.grad_norm2 = distance.grad_norm2;
  sample.lambda_min = lambda_min;
  sample.lambda_error = lambda_error;
  sample.integration_error = integration_error + distance.uncertainty;
  samples_.push_back(sample);
  raise_output_spreads(loss_, w, spreads_);
  radius_ = std::max(radius_, induced_one_norm(loss_.layout(), w));
  largest_entry_ = std::max(largest_entry_, largest_entry(loss_.layout(), w));
}

RateAuditRun ClassificationAudit::audit_with(double kappa) const {
  const AuditConstants constants{kappa, lambda_floor_, optimum_.error_bound};
  RateAuditRun run{constants, RateAudit(constants), {}};
  for (const AuditSample& sample : samples_) run.rows.push_back(run.rates.add(sample));
  return run;
}

std::string ClassificationAudit::obstacle() const {
  if (!optimum_.attained)
    return "no comparator, so no a-priori constant: the excess is the loss itself, with the measured "
           "constant; "
           "for the optimum over a box take |W_ij| <= " +
           brief(largest_entry_) + " or more";
  if (optimum_.constrained() && largest_entry_ > optimum_.box)
    return "W left the box |W_ij| <= " + brief(optimum_.box) + " of the optimum (it reached " +
           brief(largest_entry_) + "): no a-priori constant; take a larger box";
  if (!constants_.full_rank())
    return "the features have rank " + std::to_string(constants_.rank()) + ", not their number " +
           std::to_string(loss_.layout().width()) + ": no a-priori constant";
  return {};
}

ClassificationAuditResult ClassificationAudit::finish() const {
  if (samples_.empty()) throw Error(ExitCode::failed, "no time of the run was given to its audit", true);
  double spread = spreads_.empty() ? 0.0 : *std::max_element(spreads_.begin(), spreads_.end());
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &spread, 1, MPI_DOUBLE, MPI_MAX, loss_.layout().grid().world()));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  ClassificationAuditResult result{radius_, largest_entry_,  spread,   0.0, {},
                                   {},      audit_with(nan), samples_, {}};
  result.smallest_kappa = std::numeric_limits<double>::infinity();
  for (const AuditRow& row : result.measured.rows)
    if (!std::isnan(row.kappa_measured))
      result.smallest_kappa = std::min(result.smallest_kappa, row.kappa_measured);
  if (obstacle().empty()) {
    result.ball = audit_with(constants_.kappa_ball(radius_));
    result.outputs = audit_with(constants_.kappa_outputs(spreads_));
  }
  state(result);
  return result;
}

void ClassificationAudit::state(ClassificationAuditResult& result) const {
  const double measured = result.smallest_kappa;
  result.statements.push_back(optimum_.statement());
  if (!result.ball) {
    result.statements.push_back(obstacle());
  } else {
    result.statements.push_back(
        compared("kappa_R on |W|_1 <= " + brief(radius_), result.ball->constants.kappa, measured));
    result.statements.push_back(
        compared("kappa of outputs of spread " + brief(result.largest_spread) + " at most",
                 result.outputs->constants.kappa, measured));
  }
  result.statements.push_back("a-posteriori kappa = " + brief(measured) + " (an infimum over audited times)");
}

}  // namespace poise
