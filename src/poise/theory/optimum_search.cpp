#include "poise/theory/optimum_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/model/classification_loss.hpp"
#include "poise/theory/row_slices.hpp"

namespace poise {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
/// A certificate is sought again when the gradient is this much shorter.
constexpr double next_attempt = 0.1;
/// Newton's method squares the error: a step that gains less than this near the optimum meets rounding.
constexpr double newton_gain = 0.5;

double norm_over_ranks(MPI_Comm comm, const std::vector<double>& x) {
  std::vector<double> sum{std::inner_product(x.begin(), x.end(), x.begin(), 0.0)};
  sum_over_ranks(comm, sum);
  return std::sqrt(sum[0]);
}

/// Subtracts from every column of W (a row of the block) its mean: cross-entropy does not see it, so that
/// rounding may carry it anywhere.
void remove_means(Index rows, Index q, double* w) {
  for (Index k = 0; k < rows; ++k) {
    double mean = 0.0;
    for (Index c = 0; c < q; ++c) mean += w[c * rows + k] / static_cast<double>(q);
    for (Index c = 0; c < q; ++c) w[c * rows + k] -= mean;
  }
}

}  // namespace

OptimumSearch::OptimumSearch(ShallowLoss& loss, const ConvexOptimumSettings& settings)
    : loss_(loss),
      settings_(settings),
      certifier_(loss, settings.box),
      w_(static_cast<std::size_t>(loss.layout().slice().size() * loss.layout().outputs())),
      gradient_(w_.size()) {}

bool OptimumSearch::boxed() const {
  return std::isfinite(settings_.box);
}

double OptimumSearch::samples_scale() const {
  const Problem& problem = loss_.problem();
  return problem.scale(problem.train.total) * static_cast<double>(problem.train.total);
}

void OptimumSearch::precondition(double* block) {
  certifier_.svd().apply_gram_inverse(loss_.layout().outputs(), block);
  const double s = loss_.problem().scale(loss_.problem().train.total);
  for (Index e = 0; e < size(); ++e) block[e] /= s * loss_.problem().loss->largest_curvature();
}

void OptimumSearch::evaluate(const double* w) {
  std::vector<double> entries(w, w + size());
  if (!boxed() && loss_.problem().loss->classification()->shift_invariant())
    remove_means(loss_.layout().slice().size(), loss_.layout().outputs(), entries.data());
  int same = is_known_ && entries == w_ ? 1 : 0;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &same, 1, MPI_INT, MPI_MIN, world()));
  if (same == 1) return;
  w_ = std::move(entries);
  known_ = loss_.value_and_gradient(w_.data(), gradient_.data());
  is_known_ = true;
  if (!std::isfinite(known_.loss))
    throw Error(ExitCode::failed, "the loss is NaN or Inf while L* was sought: look at the features", true);
}

bool OptimumSearch::is_separated() {
  if (boxed() || known_.accuracy < 1.0) return false;
  optimum_.margin = smallest_margin(loss_, w_.data());
  // A product of m terms is off by at most m ε times the norms.
  const double rounding = 2.0 * static_cast<double>(loss_.layout().width()) * epsilon * last_w_norm_ *
                          certifier_.norms().largest_two;
  return optimum_.margin > rounding;
}

void OptimumSearch::keep(const OptimumCertificate& certificate) {
  found_ = true;
  optimum_.w = w_;
  optimum_.multiplier = certificate.multiplier;
  optimum_.loss = known_.loss;
  optimum_.error_bound = certificate.error_bound;
  optimum_.gradient_norm = certificate.free_norm;
  optimum_.gradient_rounding = certificate.rounding;
  optimum_.loss_rounding = certificate.loss_rounding;
  optimum_.norm = last_w_norm_;
}

OptimumSearch::Verdict OptimumSearch::judge(const double* w) {
  evaluate(w);
  last_w_norm_ = norm_over_ranks(world(), w_);
  if (is_separated()) {
    optimum_.attained = false;
    optimum_.margin /= last_w_norm_;
    optimum_.w = w_;
    optimum_.norm = last_w_norm_;
    return Verdict::found;
  }
  const OptimumCertificate here = certifier_.free_gradient(w_.data(), gradient_.data());
  const bool stagnates = here.free_norm > newton_gain * last_norm_;
  last_norm_ = here.free_norm;
  last_rounding_ = here.rounding;
  const double target = settings_.tolerance * samples_scale();
  const bool improves = !found_ || here.free_norm < optimum_.gradient_norm;
  if (here.free_norm <= std::min(attempt_below_, certifier_.longest_gradient(target)) && improves) {
    const OptimumCertificate proof = certifier_.certify(w_.data(), gradient_.data());
    best_bound_ = std::min(best_bound_, proof.error_bound);
    if (proof.error_bound <= target)
      keep(proof);
    else
      attempt_below_ = next_attempt * here.free_norm;
  }
  const bool at_rounding = here.free_norm <= here.rounding;
  if (found_ && (stagnates || at_rounding)) return Verdict::found;
  return here.free_norm <= 1e-3 * here.rounding ? Verdict::hopeless : Verdict::goes_on;
}

Error OptimumSearch::no_proof(const std::string& reason) const {
  const std::string ended = fmt::format(
      "L* was not found to {:.6g}: TAO (optimum_) ended with {} at a gradient of norm {:.6g} (rounding "
      "{:.6g}) and weights of norm {:.6g}",
      settings_.tolerance, reason, last_norm_, last_rounding_, last_w_norm_);
  return {
      ExitCode::failed,
      ended + (std::isfinite(best_bound_)
                   ? fmt::format(", where the error bound is {:.6g}; ask for a looser tolerance or whitened "
                                 "features",
                                 best_bound_)
                   : ": there is no error bound, most probably because the classes are separable in part, so "
                     "that L* is an infimum that no W attains, at most " +
                         to_text(known_.loss) +
                         "; ask for the optimum in a box, or, if they are not separable, for whitened "
                         "features"),
      true};
}

}  // namespace poise
