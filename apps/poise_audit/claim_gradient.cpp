#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"
#include "poise_audit/claims.hpp"
#include "poise_audit/differences.hpp"

namespace poise {
namespace {

constexpr double first_step = 1e-3;  // of an entry of θ that is about 1

/// Differences along a seeded direction d with N(0,1) entries: <e, d> of an error e of the gradient is then
/// about ‖e‖, whatever the number of parameters; and along the gradient itself.
class GradientClaim final : public Claim {
 public:
  explicit GradientClaim(Subject& subject)
      : subject_(subject),
        gradient_(subject.layout().create()),
        direction_(subject.layout().create()),
        moved_(subject.layout().create()),
        unused_(subject.layout().create()) {}

  void see(const RunPoint& point) override {
    if (!point.chosen) return;
    static const LogEvent event("AuditGradient");
    const auto scope = event.begin();
    Objective& objective = subject_.true_objective();
    objective.forget();
    const double loss = value(point.theta, gradient_.get());
    double norm = 0.0;
    check(VecNorm(gradient_.get(), NORM_2, &norm));
    if (norm == 0.0) return;
    check(VecCopy(gradient_.get(), direction_.get()));
    check(VecScale(direction_.get(), 1.0 / norm));
    compare(point, loss, norm);
    set_random_direction(point.step);
    compare(point, loss, norm);
    objective.forget();
  }

  void judge(VerdictTable& table) override {
    table.add(worst_.row("gradient", "gradient equals central differences of the loss",
                         subject_.linear() && subject_.network().objective == "collapsed" ? "3" : "3.2",
                         "the gradient is zero"));
  }

 private:
  double value(Vec theta, Vec gradient) {
    const Evaluation evaluation = subject_.true_objective().value_and_gradient(theta, gradient);
    return evaluation.train.loss + evaluation.penalty;
  }

  void compare(const RunPoint& point, double loss, double norm) {
    const auto at = [&](double step) {
      check(VecWAXPY(moved_.get(), step, direction_.get(), point.theta));
      return value(moved_.get(), unused_.get());
    };
    double slope = 0.0;
    check(VecDot(gradient_.get(), direction_.get(), &slope));
    // Solves leave the loss with their tolerance, sums with their rounding.
    const double noise = subject_.gradient_accuracy() * std::abs(loss);
    const DifferenceCheck result = compare_differences(
        [&](double h) { return std::vector<double>{(at(h) - at(-h)) / (2.0 * h)}; }, {slope},
        [](const std::vector<double>& x) { return std::abs(x[0]); }, norm, first_step, noise);
    worst_.add(result.error, result.tolerance, point.step, point.file);
  }

  void set_random_direction(Index step) {
    const ParameterLayout& layout = subject_.layout();
    const CounterRandom random(subject_.settings().seed + static_cast<std::uint64_t>(step),
                               Stream::test_direction);
    WriteArray values(direction_.get());
    double* entry = values.data();
    for (Index i = layout.slice().begin; i < layout.slice().end; ++i)
      for (Index j = 0; j < layout.row_length(); ++j) *entry++ = random.normal(i, j);
  }

  Subject& subject_;
  VecHandle gradient_, direction_, moved_, unused_;
  Worst worst_;
};

}  // namespace

std::unique_ptr<Claim> make_gradient_claim(Subject& subject) {
  return std::make_unique<GradientClaim>(subject);
}

}  // namespace poise
