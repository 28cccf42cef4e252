#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "poise/audit/claims.hpp"
#include "poise/audit/subject.hpp"
#include "poise/audit/weight_invariants.hpp"
#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"

namespace poise {
inline namespace audit {
namespace {

constexpr double rounding = std::numeric_limits<double>::epsilon();
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
    if (weights_.softmax() && subject_.map().linear()) see_mass(point);
    if (weights_.contraction() < 1.0) see_iterates(point);
  }

  void judge(VerdictTable& table) override {
    const std::string none = subject_.has_equilibria() ? "" : "the run solves for no equilibria";
    // Empty where the row applies.
    const auto unless = [&](bool applies, const char* why) {
      return !none.empty() ? none : applies ? std::string() : std::string(why);
    };
    const std::string linear = unless(subject_.linear(), "only -model softmax_linear");
    const std::string of_softmax = unless(weights_.softmax(), "no softmax weights");
    const std::string bounded = none.empty() ? weights_.unbounded() : none;
    const std::string mass =
        unless(weights_.softmax() && subject_.network().activation == Activation::identity,
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
    table.add(weights_.certificate(
        unless(subject_.network().is_pointwise(), "the certificate of a registered model is not checked")));
  }

 private:
  [[nodiscard]] Index rows() const { return subject_.map().local_states(); }

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
    const Block sizes = weights_.column_norms(columns_, z_);
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
    const Block sizes = weights_.column_norms(columns_, z_);
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
      const Block away = weights_.column_norms(columns_, distance),
                  step = weights_.column_norms(columns_, residual);
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
