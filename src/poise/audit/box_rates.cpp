#include "poise/audit/box_rates.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "poise/audit/run_checkpoints.hpp"
#include "poise/base/log_event.hpp"
#include "poise/theory/rank_reductions.hpp"

namespace poise {

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

void BoxRates::keep(const double* w, const AuditSample& sample, const std::string& file) {
  points_.push_back({sample, 0.0, file});
  weights_.emplace_back(w, w + loss_.layout().slice().size() * loss_.layout().outputs());
}

std::string BoxRates::solve() {
  double largest = 0.0;
  for (const auto& w : weights_) largest = std::max(largest, largest_entry(loss_.layout(), w.data()));
  if (!(largest > 0.0)) return "all weights are 0";
  constexpr double room = 1.0 + 1e-7;  // rounding must not put a W outside
  std::string why;
  const std::unique_ptr<ClassificationRates> rates = find_rates(loss_, room * largest, why);
  if (!rates) return why;
  for (std::size_t k = 0; k < points_.size(); ++k)
    points_[k].uncertainty = rates->measure(weights_[k].data(), points_[k].sample);
  kappa_ = rates->kappa_outputs();
  statement_ = fmt::format("L* = {:.6g} on |W_ij| <= {:.4g}", rates->optimum().loss, rates->optimum().box);
  return rates->obstacle();
}

}  // namespace poise
