#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "poise/audit/claims.hpp"
#include "poise/audit/subject.hpp"
#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/base/random.hpp"
#include "poise/linalg/spectral_norm.hpp"

namespace poise {
inline namespace audit {
namespace {

constexpr double rounding = std::numeric_limits<double>::epsilon();

/// Collective on grid.feature(). Replaces `sums` by the sums over the ranks that share one copy of the
/// weights.
void sum_over_rows(const Subject& subject, std::vector<double>& sums) {
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums.data(), mpi_count(static_cast<Index>(sums.size())), MPI_DOUBLE,
                          MPI_SUM, subject.grid().feature()));
}

/// Collective on the world. The largest value of all ranks; NaN if one rank has NaN.
double largest_over_ranks(const Subject& subject, double value) {
  double both[2] = {std::isnan(value) ? 1.0 : 0.0, std::isnan(value) ? 0.0 : value};
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, both, 2, MPI_DOUBLE, MPI_MAX, subject.grid().world()));
  return both[0] > 0.0 ? std::numeric_limits<double>::quiet_NaN() : both[1];
}

/// Checks the recurrent weights of a pointwise model at a few checkpoints: THEORY.md 7.1, 7.4 and the
/// certificates of section 2. Of a different model, which has no such weights, it only reads the certificate.
class WeightInvariants {
 public:
  /// Collective on the world. `subject` must outlive it.
  explicit WeightInvariants(Subject& subject);
  /// Collective on the world. The run must have equilibria, and the subject's map must have the parameters of
  /// `point`.
  void see(const RunPoint& point);
  /// Bound of ‖∂h/∂z‖ at the last seen point; 1 if no bound is known.
  [[nodiscard]] double contraction() const { return contraction_; }
  /// Whether `contraction` bounds the 1-norm; else it bounds the 2-norm.
  [[nodiscard]] bool is_one_norm() const { return one_norm_; }

  // Rows for the table. `why`: why the row does not apply; empty if it does.
  [[nodiscard]] Row inverse(const std::string& why) const;
  [[nodiscard]] Row u_norm(const std::string& why) const;
  [[nodiscard]] Row perron(const std::string& why) const;
  [[nodiscard]] Row certificate(const std::string& why) const;

 private:
  void see_own_model();
  void see_columns(const RunPoint& point);
  void see_certificate(const RunPoint& point);
  void see_inverse(const RunPoint& point);
  [[nodiscard]] double monotonicity() const;
  [[nodiscard]] const RowBlockMatrix& weights() const { return subject_.map().pointwise_form()->weights; }
  [[nodiscard]] WeightKind kind() const { return subject_.network().weights; }
  [[nodiscard]] bool pointwise() const { return subject_.network().is_pointwise(); }
  [[nodiscard]] bool softmax() const { return pointwise() && kind() == WeightKind::softmax; }

  Subject& subject_;
  double contraction_ = 1.0;
  bool one_norm_ = softmax();
  std::unique_ptr<SpectralNorm> norm_;  // of all weights except softmax
  Worst inverse_, u_norm_, perron_, free_norm_, certificate_;
};

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

constexpr Index most_samples = 32;
constexpr int most_depths = 200;

using Block = std::vector<double>;

/// Checks the equation z = h(z) at a few checkpoints, with newly solved equilibria of the first samples.
class EquilibriumClaim final : public Claim {
 public:
  explicit EquilibriumClaim(Subject& subject) : subject_(subject), weights_(subject) {
    if (!subject.has_equilibria()) return;
    const Range own = subject.grid().samples(subject.problem().train.total);
    columns_ = std::clamp<Index>(most_samples - own.begin, 0, own.size());
    solver_ = std::make_unique<EquilibriumSolver>(subject.grid().feature(), subject.map(), most_samples);
  }

  void see(const RunPoint& point) override {
    if (!point.chosen || !subject_.has_equilibria()) return;
    static const LogEvent event("AuditEquilibrium");
    const auto scope = event.begin();
    subject_.map().set_parameters(point.theta);
    solver_->parameters_changed();
    weights_.see(point);
    solve();
    if (softmax() && subject_.map().linear()) see_mass(point);
    if (weights_.contraction() < 1.0) see_iterates(point);
  }

  void judge(VerdictTable& table) override {
    const std::string none = subject_.has_equilibria() ? "" : "the run solves for no equilibria";
    // Empty where the row applies.
    const auto unless = [&](bool applies, const char* why) {
      return !none.empty() ? none : applies ? std::string() : std::string(why);
    };
    const std::string linear = unless(subject_.linear(), "only -model softmax_linear");
    const std::string of_softmax = unless(softmax(), "no softmax weights");
    const std::string bounded =
        unless(pointwise() ? softmax() || kind() == WeightKind::spectral : weights_.contraction() < 1.0,
               "no norm of the Jacobian is below 1");
    const std::string mass = unless(softmax() && subject_.network().activation == Activation::identity,
                                    "not a linear map with softmax weights");
    table.add(mass_.row("mass", "column sums of equilibria equal the injection's sums over 1 - gamma", "7.1",
                        mass));
    table.add(weights_.inverse(linear));
    table.add(weights_.u_norm(linear));
    table.add(iterates_.row("contraction", "iterates approach the equilibrium at the rate of the norm", "7.3",
                            bounded));
    table.add(weights_.perron(of_softmax));
    table.add(
        bound_.row("error_bound", "distance to the equilibrium over its computable bound", "7.5", bounded));
    table.add(
        weights_.certificate(unless(pointwise(), "the certificate of a registered model is not checked")));
  }

 private:
  [[nodiscard]] WeightKind kind() const { return subject_.network().weights; }
  [[nodiscard]] bool pointwise() const { return subject_.network().is_pointwise(); }
  [[nodiscard]] bool softmax() const { return pointwise() && kind() == WeightKind::softmax; }
  [[nodiscard]] Index rows() const { return subject_.map().local_states(); }
  [[nodiscard]] double entry_norm(double x) const { return weights_.is_one_norm() ? std::abs(x) : x * x; }

  /// Collective on grid.feature(). The norm of every column, over the rows of all ranks.
  [[nodiscard]] Block column_norms_of(const Block& block) const {
    Block norms(static_cast<std::size_t>(columns_), 0.0);
    for (Index c = 0; c < columns_; ++c)
      for (Index i = 0; i < rows(); ++i) norms[c] += entry_norm(block[c * rows() + i]);
    sum_over_rows(subject_, norms);
    if (!weights_.is_one_norm())
      for (double& norm : norms) norm = std::sqrt(norm);
    return norms;
  }

  void solve() {
    const Index d = subject_.map().local_features();
    const auto size = static_cast<std::size_t>(rows() * columns_);
    for (Block* block : {&injection_, &z_, &h_, &iterate_}) block->assign(size, 0.0);
    Block slopes(static_cast<std::size_t>(subject_.map().slope_rows() * columns_));
    const Block features(subject_.problem().train.features.begin(),
                         subject_.problem().train.features.begin() + d * columns_);
    // Ranks of one grid.feature() have the same columns. Ranks without columns solve nothing.
    agree(subject_.grid().world(), [&] {
      if (columns_ == 0) return;
      subject_.map().inject(columns_, features.data(), injection_.data());
      z_ = injection_;
      (void)require(solver_->solve(columns_, injection_.data(), z_.data(), slopes.data()));
    });
  }

  /// For a residual r = z − h(z), |1ᵀr| is at most √m ‖r‖₂; and 1ᵀ(I − W) = (1 − γ)1ᵀ.
  void see_mass(const RunPoint& point) {
    const double gamma = subject_.network().gamma;
    Block sums(static_cast<std::size_t>(2 * columns_), 0.0);
    for (Index c = 0; c < columns_; ++c)
      for (Index i = 0; i < rows(); ++i) {
        sums[c] += z_[c * rows() + i];
        sums[columns_ + c] += injection_[c * rows() + i];
      }
    sum_over_rows(subject_, sums);
    const Block sizes = column_norms_of(z_);
    double worst = 0.0;
    for (Index c = 0; c < columns_; ++c) {
      const double off = std::abs(sums[c] - sums[columns_ + c] / (1.0 - gamma)) / sizes[c];
      worst = std::isnan(off) || std::isnan(worst) ? std::nan("") : std::max(worst, off);
    }
    const double m = static_cast<double>(subject_.layout().width());
    mass_.add(largest_over_ranks(subject_, worst),
              (std::sqrt(m) * solver_->rtol() + m * rounding) / (1.0 - gamma), point.step, point.file);
  }

  /// The iterates z⁽ˡ⁾ from z⁽⁰⁾ = 0. The bounds allow for the tolerance to which z* is known.
  void see_iterates(const RunPoint& point) {
    const double c = weights_.contraction();
    const Block sizes = column_norms_of(z_);
    const double m = static_cast<double>(subject_.layout().width());
    const double known =
        (weights_.is_one_norm() ? std::sqrt(m) : 1.0) * solver_->rtol() * 4.0 / (1.0 - c) + m * rounding;
    Block start = sizes;
    double rate = 0.0, bound = 0.0, power = 1.0;
    for (int depth = 0; depth < most_depths && power > 1e-6; ++depth, power *= c) {
      subject_.map().apply(columns_, iterate_.data(), injection_.data(), h_.data());
      Block distance(h_.size()), residual(h_.size());
      for (std::size_t i = 0; i < h_.size(); ++i) {
        distance[i] = iterate_[i] - z_[i];
        residual[i] = iterate_[i] - h_[i];
      }
      const Block away = column_norms_of(distance), step = column_norms_of(residual);
      for (std::size_t k = 0; k < away.size(); ++k) {
        if (sizes[k] == 0.0) continue;
        const double slack = known * sizes[k];
        if (depth > 0) rate = nan_or_larger(rate, away[k] / (power * start[k] + slack));
        bound = nan_or_larger(bound, away[k] / (step[k] / (1.0 - c) + slack));
      }
      iterate_.swap(h_);
    }
    iterates_.add(largest_over_ranks(subject_, rate), 1.0 + 1e-9, point.step, point.file);
    bound_.add(largest_over_ranks(subject_, bound), 1.0 + 1e-9, point.step, point.file);
  }

  static double nan_or_larger(double a, double b) {
    return std::isnan(a) || std::isnan(b) ? std::nan("") : std::max(a, b);
  }

  Subject& subject_;
  WeightInvariants weights_;
  Index columns_ = 0;  // number of samples that this rank solves
  std::unique_ptr<EquilibriumSolver> solver_;
  Block injection_, z_, h_, iterate_;
  Worst mass_, iterates_, bound_;
};

}  // namespace

std::unique_ptr<Claim> make_equilibrium_claim(Subject& subject) {
  return std::make_unique<EquilibriumClaim>(subject);
}

}  // namespace audit
}  // namespace poise
