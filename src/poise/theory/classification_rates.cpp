#include "poise/theory/classification_rates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace poise {
ClassificationRates::ClassificationRates(ShallowLoss& loss, ConvexOptimum optimum)
    : loss_(loss),
      optimum_(std::move(optimum)),
      reference_(loss, optimum_),
      spreads_(static_cast<std::size_t>(loss.problem().train.count), 0.0) {
  if (!optimum_.attained) return;
  constants_ = std::make_unique<ClassificationConstants>(loss);
  widen(optimum_.w.data());
}

void ClassificationRates::widen(const double* w) {
  raise_output_spreads(loss_, w, spreads_);
  radius_ = std::max(radius_, induced_one_norm(loss_.layout(), w));
}

double ClassificationRates::measure(const double* w, AuditSample& sample) {
  const ClassificationReference::Distance distance = reference_.distance(w);
  sample.loss = distance.loss;
  sample.excess = distance.excess;
  sample.grad_norm2 = distance.grad_norm2;
  sample.integration_error += distance.uncertainty;
  largest_entry_ = std::max(largest_entry_, poise::largest_entry(loss_.layout(), w));
  if (constants_) widen(w);
  return distance.uncertainty;
}

std::string ClassificationRates::obstacle() const {
  if (!constants_)
    return fmt::format(
        "no comparator, so no a-priori constant: the excess is the loss itself, with the measured constant; "
        "for the optimum over a box take |W_ij| <= {:.3g} or more",
        largest_entry_);
  if (optimum_.constrained() && largest_entry_ > optimum_.box)
    return fmt::format(
        "W left the box |W_ij| <= {:.3g} of the optimum (it reached {:.3g}): no a-priori constant; take a "
        "larger box",
        optimum_.box, largest_entry_);
  if (!constants_->full_rank())
    return fmt::format("the features have rank {}, not their number {}: no a-priori constant",
                       constants_->rank(), loss_.layout().width());
  return {};
}

double ClassificationRates::kappa_outputs() const {
  return obstacle().empty() ? constants_->kappa_outputs(spreads_) : std::numeric_limits<double>::quiet_NaN();
}

double ClassificationRates::kappa_ball() const {
  return obstacle().empty() ? constants_->kappa_ball(radius_) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace poise
