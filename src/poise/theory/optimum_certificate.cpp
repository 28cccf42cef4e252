#include "poise/theory/optimum_certificate.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/model/classification_loss.hpp"
#include "poise/theory/rank_reductions.hpp"

namespace poise {
inline namespace theory {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
/// Every π_ic must be at least this share of p_ic; any positive share would suffice.
constexpr double kept_share = 0.5;
/// Singular values of Φ diag(√(ω ρ)) up to this many times their rounding count as 0.
constexpr double certain = 4.0;

const ShallowLoss& classification(const ShallowLoss& loss) {
  if (loss.problem().loss->classification() == nullptr)
    throw Error(ExitCode::bad_input, "a certificate of the convex optimum needs a classification loss", true);
  loss.problem().loss->classification()->require_outputs(loss.problem().outputs);
  return loss;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// Makes a row of the free gradient sum to zero over the classes. The largest multiplier of the row takes the
/// sum; in a row without a multiplier the sum is only rounding. Returns false if that multiplier would then
/// point inwards.
bool balance_row(Index rows, Index q, double* free, double* multiplier) {
  double sum = 0.0;
  Index longest = 0;
  for (Index c = 0; c < q; ++c) {
    sum += free[c * rows];
    if (std::abs(multiplier[c * rows]) > std::abs(multiplier[longest * rows])) longest = c;
  }
  double& taker = multiplier[longest * rows];
  if (taker == 0.0) {
    for (Index c = 0; c < q; ++c) free[c * rows] -= sum / static_cast<double>(q);
    return true;
  }
  const bool stays_outwards = (taker + sum) * taker > 0.0;
  taker += sum;
  free[longest * rows] -= sum;
  return stays_outwards;
}

}  // namespace

OptimumCertifier::OptimumCertifier(ShallowLoss& loss, double box)
    : loss_(loss),
      box_(box),
      svd_(feature_factor(loss.layout(), classification(loss).problem().train)),
      norms_(feature_norms(loss.layout(), loss.problem().train)) {
  double sums[3] = {0.0, 0.0, 0.0};
  const double* weights = loss.problem().train.weights_from(0);
  if (loss.layout().grid().feature_index() == 0) {
    for (std::size_t i = 0; i < norms_.two.size(); ++i) {
      const double weight = weights == nullptr ? 1.0 : weights[i];
      sums[0] += weight * norms_.two[i];
      sums[1] += weight * norms_.two[i] * norms_.two[i];
      sums[2] += weight;
    }
  }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums, 3, MPI_DOUBLE, MPI_SUM, loss.layout().grid().world()));
  norm_sum_ = sums[0];
  norm2_sum_ = sums[1];
  weight_sum_ = sums[2];
  largest_weight_ = weights == nullptr
                        ? 1.0
                        : largest_over_ranks(loss.layout().grid().world(), loss.problem().train.weights);
}

double OptimumCertifier::scale() const {
  return loss_.problem().scale(loss_.problem().train.total);
}

double OptimumCertifier::longest_gradient(double error) const {
  const double largest = svd_.largest() + svd_.rounding();
  return largest * std::sqrt(error * scale() * loss_.problem().loss->largest_curvature());
}

OptimumCertificate OptimumCertifier::free_gradient(const double* w, const double* gradient) {
  const Index rows = loss_.layout().slice().size();
  const Index q = loss_.layout().outputs();
  const Index size = rows * q;
  OptimumCertificate result;
  std::vector<double> free(gradient, gradient + size);
  result.multiplier.assign(static_cast<std::size_t>(size), 0.0);
  for (Index e = 0; e < size; ++e)
    if (std::abs(w[e]) >= box_ && gradient[e] * w[e] < 0.0) std::swap(free[e], result.multiplier[e]);
  bool valid = true;
  if (loss_.problem().loss->classification()->shift_invariant())
    for (Index k = 0; k < rows; ++k)
      valid = balance_row(rows, q, free.data() + k, result.multiplier.data() + k) && valid;
  std::vector<double> sums{dot(free, free), std::inner_product(w, w + size, w, 0.0), valid ? 0.0 : 1.0};
  sum_over_ranks(loss_.layout().grid().world(), sums);
  result.free_norm = sums[2] > 0.0 ? std::numeric_limits<double>::infinity() : std::sqrt(sums[0]);
  // A sample adds ω_i (p_i − y_i)φ_iᵀ, of norm <= √2 ‖φ_i‖; the error of p_i is at most half the error of
  // Wφ_i.
  const double norm = std::sqrt(sums[1]);
  result.rounding = epsilon * scale() * (std::sqrt(2.0) * norm_sum_ + 0.5 * norm * norm2_sum_);
  // The error of its loss is ‖p_i − y_i‖ times the error of Wφ_i, plus a few ε of the terms of the loss.
  result.loss_rounding = epsilon * scale() * (8.0 * weight_sum_ + std::sqrt(2.0) * norm * norm_sum_);
  return result;
}

OptimumCertificate OptimumCertifier::certify(const double* w, const double* gradient) {
  static const LogEvent event("Certificate");
  const auto scope = event.begin();
  const Problem& problem = loss_.problem();
  const ClassificationLoss& classes = *problem.loss->classification();
  const MPI_Comm world = loss_.layout().grid().world();
  const Index q = loss_.layout().outputs();
  OptimumCertificate result = free_gradient(w, gradient);
  if (!std::isfinite(result.free_norm)) return result;
  weights_.resize(static_cast<std::size_t>(problem.train.count));
  loss_.visit_outputs(w, problem.train, [&](Index first, Index columns, double* f) {
    classes.linearise(q, columns, f, f);
    for (Index i = 0; i < columns; ++i) weights_[first + i] = classes.curvature_at(q, f + i * q);
    const double* weights = problem.train.weights_from(first);
    for (Index i = 0; i < columns && weights != nullptr; ++i) weights_[first + i] *= weights[i];
  });
  if (!(largest_over_ranks(world, weights_) > 0.0)) return result;
  const FeatureSvd weighted(feature_factor(loss_.layout(), problem.train, &weights_),
                            certain * svd_.rounding() / svd_.largest());
  if (weighted.rank() != svd_.rank()) return result;

  const double safe = weighted.safe_square(weighted.smallest());  // at least half of it
  const double inflation = weighted.smallest() * weighted.smallest() / safe;
  std::vector<double> free(gradient, gradient + result.multiplier.size());
  std::transform(free.begin(), free.end(), result.multiplier.begin(), free.begin(), std::minus<>());
  std::vector<double> solution = free;
  weighted.apply_gram_inverse(q, solution.data());
  std::vector<double> sums{dot(free, solution), dot(solution, solution)};
  sum_over_ranks(world, sums);
  const double reach = inflation * std::sqrt(sums[1]) + result.rounding / safe;
  if (reach * norms_.largest_two > kept_share * scale()) return result;
  const double root = std::sqrt(inflation * std::max(0.0, sums[0])) + result.rounding / std::sqrt(safe);
  result.error_bound = root * root / scale();
  return result;
}

double smallest_margin(ShallowLoss& loss, const double* w) {
  const Problem& problem = loss.problem();
  const ClassificationLoss& classes = *problem.loss->classification();
  const Index q = problem.outputs;
  double smallest = std::numeric_limits<double>::infinity();
  loss.visit_outputs(w, problem.train, [&](Index first, Index columns, const double* f) {
    const double* y = problem.train.targets.data() + first * q;
    for (Index i = 0; i < columns; ++i, f += q, y += q)
      smallest = std::min(smallest, classes.margin(q, f, y));
  });
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &smallest, 1, MPI_DOUBLE, MPI_MIN, loss.layout().grid().world()));
  return smallest;
}

}  // namespace theory
}  // namespace poise
