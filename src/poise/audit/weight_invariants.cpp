#include "poise/audit/weight_invariants.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/base/random.hpp"

namespace poise {
inline namespace audit {
namespace {

constexpr double rounding = std::numeric_limits<double>::epsilon();

}  // namespace

void sum_over_rows(const Subject& subject, std::vector<double>& sums) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums.data(), mpi_count(static_cast<Index>(sums.size())), MPI_DOUBLE,
                          MPI_SUM, subject.grid().feature()));
}

double largest_over_ranks(const Subject& subject, double value) {
  double both[2] = {std::isnan(value) ? 1.0 : 0.0, std::isnan(value) ? 0.0 : value};
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, both, 2, MPI_DOUBLE, MPI_MAX, subject.grid().world()));
  return both[0] > 0.0 ? std::numeric_limits<double>::quiet_NaN() : both[1];
}

WeightInvariants::WeightInvariants(Subject& subject)
    : subject_(subject), certificate_(subject.network().weights == WeightKind::monotone ? ">=" : "<=") {
  if (subject.has_equilibria() && pointwise() && !softmax())
    norm_ = std::make_unique<SpectralNorm>(weights());
}

void WeightInvariants::see_own_model() {
  const Certificate certificate = subject_.map().certificate();
  one_norm_ = certificate.norm == "1";
  contraction_ = one_norm_ || certificate.norm == "2" ? certificate.contraction : 1.0;
}

void WeightInvariants::see(const RunPoint& point) {
  if (!pointwise()) return see_own_model();
  if (softmax()) see_columns(point);
  see_certificate(point);
  if (subject_.linear()) see_inverse(point);
}

void WeightInvariants::see_columns(const RunPoint& point) {
  const RowBlockMatrix& w = weights();
  const double gamma = subject_.network().gamma;
  std::vector<double> sums(static_cast<std::size_t>(w.width()), 0.0), distances(sums.size(), 0.0);
  for (Index i = 0; i < w.local_rows(); ++i)
    for (Index j = 0; j < w.width(); ++j) {
      const double entry = w.rows()[i * w.width() + j];
      sums[j] += std::abs(entry);
      distances[j] += std::abs((i + w.row_begin() == j ? 1.0 : 0.0) - entry);
    }
  sum_over_rows(subject_, sums);
  sum_over_rows(subject_, distances);
  double off = 0.0, norm = 0.0;
  for (std::size_t j = 0; j < sums.size(); ++j) {
    off = std::isnan(sums[j]) ? sums[j] : std::max(off, std::abs(sums[j] - gamma));
    norm = std::max(norm, distances[j]);
  }
  const double size = static_cast<double>(w.width()) * rounding;
  perron_.add(largest_over_ranks(subject_, off), gamma * size, point.step, point.file);
  certificate_.add(largest_over_ranks(subject_, *std::max_element(sums.begin(), sums.end())),
                   gamma * (1.0 + size), point.step, point.file);
  contraction_ = gamma;
  if (subject_.linear())
    u_norm_.add(largest_over_ranks(subject_, norm), (1.0 + gamma) * (1.0 + size), point.step, point.file);
}

void WeightInvariants::see_certificate(const RunPoint& point) {
  if (softmax()) return;
  const NetworkSettings& network = subject_.network();
  if (kind() == WeightKind::monotone) {
    certificate_.add(monotonicity(), network.margin * (1.0 - 1e-9), point.step, point.file);
    contraction_ = 1.0;
    return;
  }
  contraction_ = norm_->compute();
  if (kind() == WeightKind::spectral)
    certificate_.add(contraction_, network.gamma * (1.0 + 1e-9), point.step, point.file);
  else
    free_norm_.add(contraction_, 1.0, point.step, point.file);
}

/// The smallest vᵀ(I − W)v / vᵀv of 16 seeded random v.
double WeightInvariants::monotonicity() const {
  const Index rows = weights().local_rows();
  constexpr Index probes = 16;
  const CounterRandom random(subject_.settings().seed, Stream::test_direction);
  std::vector<double> v(static_cast<std::size_t>(rows * probes)), image(v.size());
  for (Index c = 0; c < probes; ++c)
    for (Index i = 0; i < rows; ++i) v[c * rows + i] = random.normal(weights().row_begin() + i, c);
  weights().multiply(probes, v.data(), image.data());
  std::vector<double> sums(2 * probes, 0.0);
  for (Index c = 0; c < probes; ++c)
    for (Index k = c * rows; k < (c + 1) * rows; ++k) {
      sums[c] += v[k] * (v[k] - image[k]);
      sums[probes + c] += v[k] * v[k];
    }
  sum_over_rows(subject_, sums);
  double least = std::numeric_limits<double>::infinity();
  for (Index c = 0; c < probes; ++c) least = std::min(least, sums[c] / sums[probes + c]);
  return -largest_over_ranks(subject_, -least);
}

/// The solution of Uᵀx = 1 is the column sums of U⁻¹, and U⁻¹ = Σ γᵏSᵏ has no negative entry.
void WeightInvariants::see_inverse(const RunPoint& point) {
  CollapsedModel& model = subject_.model();
  (void)model.set_parameters(point.theta);
  const Index own = subject_.layout().slice().size(), q = subject_.layout().outputs();
  std::vector<double> ones(static_cast<std::size_t>(own * q), 1.0), x(ones.size());
  (void)model.solve_transpose(ones.data(), x.data());
  double off = 0.0;
  for (const double entry : x) {
    const double deviation = std::abs(entry * (1.0 - model.gamma()) - 1.0);
    off = std::isnan(deviation) || std::isnan(off) ? std::nan("") : std::max(off, deviation);
  }
  const double m = static_cast<double>(subject_.layout().width());
  inverse_.add(largest_over_ranks(subject_, off), std::sqrt(m) * model.weight_error() + m * rounding,
               point.step, point.file);
}

std::string WeightInvariants::unbounded() const {
  const bool bounded = pointwise() ? softmax() || kind() == WeightKind::spectral : contraction_ < 1.0;
  return bounded ? "" : "no norm of the Jacobian is below 1";
}

std::vector<double> WeightInvariants::column_norms(Index columns, const std::vector<double>& block) const {
  const Index rows = subject_.map().local_states();
  std::vector<double> norms(static_cast<std::size_t>(columns), 0.0);
  for (Index c = 0; c < columns; ++c)
    for (Index i = 0; i < rows; ++i) {
      const double x = block[c * rows + i];
      norms[c] += one_norm_ ? std::abs(x) : x * x;
    }
  sum_over_rows(subject_, norms);
  if (!one_norm_)
    for (double& norm : norms) norm = std::sqrt(norm);
  return norms;
}

Row WeightInvariants::inverse(const std::string& why) const {
  return inverse_.row("u_inverse", "column sums of U^-1 times 1 - gamma are 1", "7.1", why);
}

Row WeightInvariants::u_norm(const std::string& why) const {
  return u_norm_.row("u_norm", "1-norm of U", "7.1", why);
}

Row WeightInvariants::perron(const std::string& why) const {
  return perron_.row("perron", "columns of gamma softmax(A) sum to gamma", "7.4", why);
}

Row WeightInvariants::certificate(const std::string& why) const {
  const std::string id = "certificate";
  if (!why.empty()) return does_not_apply(id, "well-posedness certificate", "2", why);
  if (kind() == WeightKind::monotone) return certificate_.row(id, "I - W exceeds its margin", "2.3");
  if (kind() != WeightKind::free) return certificate_.row(id, "norm of the weights is at most gamma", "2.2");
  Row row = free_norm_.row(id, "2-norm of the free weights; below 1 certifies equilibria", "2.2");
  row.state = row.measured < 1.0 ? RowState::held : RowState::observed;
  if (std::isnan(row.measured)) row.state = RowState::not_held;
  if (row.state == RowState::observed) row.note = "nothing is promised; every solve is checked";
  return row;
}

}  // namespace audit
}  // namespace poise
