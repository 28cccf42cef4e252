#include "poise_audit/classification_rates.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "poise/base/log_event.hpp"
#include "poise_audit/run_checkpoints.hpp"

namespace poise {

ClassificationRates::ClassificationRates(ShallowLoss& loss) : loss_(loss) {
  static const LogEvent event("AuditConvexOptimum");
  const auto scope = event.begin();
  try {
    optimum_ = solve_convex_optimum(loss);
  } catch (const Error& error) {
    if (!error.collective()) throw;
    failure_ = first_line(error.what());
    failure_ = failure_.substr(0, failure_.find(';'));  // without the advice
    return;
  }
  reference_ = std::make_unique<ClassificationReference>(loss, *optimum_);
  if (!optimum_->attained) return;
  constants_ = std::make_unique<ClassificationConstants>(loss);
  spreads_.assign(static_cast<std::size_t>(loss.problem().train.count), 0.0);
  raise_output_spreads(loss_, optimum_->w.data(), spreads_);
  radius_ = induced_one_norm(loss_.layout(), optimum_->w.data());
}

double ClassificationRates::measure(const double* w, AuditSample& sample) {
  if (!reference_) return 0.0;
  const ClassificationReference::Distance distance = reference_->distance(w);
  sample.excess = distance.excess;
  sample.grad_norm2 = distance.grad_norm2;
  sample.loss = distance.loss;
  sample.integration_error += distance.uncertainty;
  if (constants_) {
    raise_output_spreads(loss_, w, spreads_);
    radius_ = std::max(radius_, induced_one_norm(loss_.layout(), w));
  }
  return distance.uncertainty;
}

bool ClassificationRates::has_constants() const {
  return constants_ && constants_->full_rank();
}

double ClassificationRates::kappa_outputs() const {
  return has_constants() ? constants_->kappa_outputs(spreads_) : std::numeric_limits<double>::quiet_NaN();
}

double ClassificationRates::kappa_ball() const {
  return has_constants() ? constants_->kappa_ball(radius_) : std::numeric_limits<double>::quiet_NaN();
}

std::string ClassificationRates::statement() const {
  if (!optimum_) return "L* was not found, taken as 0";
  if (!optimum_->attained) return "L* = 0: the data are separable";
  char known[96];
  std::snprintf(known, sizeof known, "L* = %.6g within %.1g", optimum_->loss, optimum_->error_bound);
  return constants_->full_rank() ? known : known + std::string("; features not of full rank");
}

void BoxRates::keep(const double* w, const AuditSample& sample, const std::string& file) {
  points_.push_back({sample, 0.0, file});
  weights_.emplace_back(w, w + loss_.layout().slice().size() * loss_.layout().outputs());
}

std::string BoxRates::solve() {
  static const LogEvent event("AuditConvexOptimum");
  const auto scope = event.begin();
  const ClassificationConstants constants(loss_);
  if (!constants.full_rank()) return "features not of full rank";
  double largest = 0.0;
  for (const auto& w : weights_) largest = std::max(largest, largest_entry(loss_.layout(), w.data()));
  if (!(largest > 0.0)) return "all weights are 0";
  constexpr double room = 1.0 + 1e-7;  // rounding must not put a W outside
  ConvexOptimum optimum;
  try {
    optimum = solve_convex_optimum(loss_, {.box = room * largest});
  } catch (const Error& error) {
    if (!error.collective()) throw;
    return first_line(error.what());
  }
  std::vector<double> spreads(static_cast<std::size_t>(loss_.problem().train.count), 0.0);
  raise_output_spreads(loss_, optimum.w.data(), spreads);
  ClassificationReference reference(loss_, optimum);
  for (std::size_t k = 0; k < points_.size(); ++k) {
    raise_output_spreads(loss_, weights_[k].data(), spreads);
    const ClassificationReference::Distance distance = reference.distance(weights_[k].data());
    AuditSample& sample = points_[k].sample;
    sample.loss = distance.loss;
    sample.excess = distance.excess;
    sample.grad_norm2 = distance.grad_norm2;
    sample.integration_error += points_[k].uncertainty = distance.uncertainty;
  }
  kappa_ = constants.kappa_outputs(spreads);
  char text[96];
  std::snprintf(text, sizeof text, "L* = %.6g on |W_ij| <= %.4g", optimum.loss, optimum.box);
  statement_ = text;
  return {};
}

}  // namespace poise
