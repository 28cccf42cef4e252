#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/audit/claims.hpp"
#include "poise/audit/differences.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/random.hpp"

namespace poise {
inline namespace audit {
namespace {

constexpr double first_step = 1e-3;  // entries of θ are about 1
constexpr double aside = 1e-2;       // step that leads away from kinks
/// Error, relative to the gradient, from states that cross a kink between two evaluations. One of n samples
/// contributes about 1/n, and of 1e5 states some cross a kink however close the evaluations are.
constexpr double crossings = 1e-2;

/// Compares the gradient with differences of the loss along the gradient itself and along a seeded direction
/// d with N(0,1) entries. For an error e of the gradient, <e, d> is about ‖e‖, whatever the number of
/// parameters. Piecewise linear activations have no derivative at their kinks, and flows slide along kinks:
/// such networks are checked at a point a small seeded step away from the checkpoint.
class GradientClaim final : public Claim {
 public:
  explicit GradientClaim(Subject& subject)
      : subject_(subject),
        gradient_(subject.layout().create()),
        direction_(subject.layout().create()),
        moved_(subject.layout().create()),
        base_(subject.layout().create()),
        unused_(subject.layout().create()) {}

  void see(const RunPoint& point) override {
    if (!point.chosen) return;
    static const LogEvent event("AuditGradient");
    const auto scope = event.begin();
    Objective& objective = subject_.true_objective();
    objective.forget();
    check(VecCopy(point.theta, base_.get()));
    if (has_kinks()) {
      set_random_direction(-1);
      check(VecAXPY(base_.get(), aside, direction_.get()));
    }
    const double loss = value(base_.get(), gradient_.get());
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
    Row row = worst_.row("gradient", "gradient equals central differences of the loss",
                         subject_.linear() && subject_.network().is_collapsed() ? "3"
                         : subject_.network().is_graph()                        ? "8.3"
                                                                                : "3.2");
    if (has_kinks() && row.state != RowState::does_not_apply) row.note = "a small step away from kinks";
    table.add(row);
  }

 private:
  double value(Vec theta, Vec gradient) {
    const Evaluation evaluation = subject_.true_objective().value_and_gradient(theta, gradient);
    residual_ = std::max(residual_, evaluation.equilibrium.residual);
    return evaluation.train.loss + evaluation.penalty;
  }

  [[nodiscard]] bool has_kinks() const {
    const Activation a = subject_.network().activation;
    return a == Activation::relu || a == Activation::leaky_relu;
  }

  /// Error of a loss value: the residual of its solves times their condition, and rounding.
  [[nodiscard]] double noise(double loss) const {
    const double c = subject_.contraction();
    return std::max(subject_.loss_noise(loss), 4.0 * residual_ * (1.0 + c) / (1.0 - c) * std::abs(loss));
  }

  void compare(const RunPoint& point, double loss, double norm) {
    const auto at = [&](double step) {
      check(VecWAXPY(moved_.get(), step, direction_.get(), base_.get()));
      return value(moved_.get(), unused_.get());
    };
    double slope = 0.0;
    check(VecDot(gradient_.get(), direction_.get(), &slope));
    const DifferenceCheck result = compare_differences(
        [&](double h) { return std::vector<double>{(at(h) - at(-h)) / (2.0 * h)}; }, {slope},
        [](const std::vector<double>& x) { return std::abs(x[0]); }, norm, first_step, noise(loss));
    worst_.add(result.error, result.tolerance + (has_kinks() ? crossings : 0.0), point.step, point.file);
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
  VecHandle gradient_, direction_, moved_, base_, unused_;
  double residual_ = 0.0;
  Worst worst_;
};

}  // namespace

std::unique_ptr<Claim> make_gradient_claim(Subject& subject) {
  return std::make_unique<GradientClaim>(subject);
}

namespace {

/// Compares the gradient by equilibria and adjoints of all samples with the gradient of the collapsed model,
/// at a few checkpoints.
class EquilibriumGradientClaim final : public Claim {
 public:
  explicit EquilibriumGradientClaim(Subject& subject)
      : subject_(subject), by_samples_(subject.layout().create()), collapsed_(subject.layout().create()) {}

  void see(const RunPoint& point) override {
    if (!point.chosen || !subject_.has_equilibria()) return;
    static const LogEvent event("AuditEquilibriumGradient");
    const auto scope = event.begin();
    const Evaluation evaluation = subject_.exact().value_and_gradient(point.theta, by_samples_.get());
    const double rtol = subject_.rtol();
    equilibria_.add(evaluation.equilibrium.residual, rtol, point.step, point.file);
    adjoints_.add(evaluation.adjoint.residual, adjoint_tolerance(rtol), point.step, point.file);
    if (compares()) compare(point, evaluation.train.loss);
  }

  void judge(VerdictTable& table) override {
    const NetworkSettings& network = subject_.network();
    const std::string claim = "gradients by samples and by the shallow equivalent agree";
    if (compares())
      table.add(gradients_.row("two_gradients", claim, "3.1, 3.2"));
    else
      table.add(does_not_apply("two_gradients", claim, "3.1, 3.2",
                               !subject_.linear()           ? "only -model softmax_linear has both"
                               : !subject_.has_equilibria() ? "-objective " + network.objective
                                                            : "-jacobian_weight"));
    const std::string why = subject_.has_equilibria() ? ""
                            : network.has_equilibrium_model()
                                ? "-objective unrolled solves nothing"
                                : "-objective " + network.objective + " has no equilibria";
    const bool graph = network.is_graph();
    const std::string whose = graph ? "every node's " : "every sample's ", item = graph ? "8.3" : "3.2";
    table.add(equilibria_.row("equilibria", "residual of " + whose + "equilibrium", item, why));
    table.add(adjoints_.row("adjoints", "residual of " + whose + "adjoint", item, why));
  }

 private:
  [[nodiscard]] bool compares() const {
    return subject_.linear() && subject_.has_equilibria() && subject_.network().jacobian_weight == 0.0;
  }

  /// -adj_ksp_rtol if it is given, else `rtol`.
  static double adjoint_tolerance(double rtol) {
    double given = rtol;
    check(PetscOptionsGetReal(nullptr, nullptr, "-adj_ksp_rtol", &given, nullptr));
    return given;
  }

  /// The difference relative to ‖∇L‖. The tolerance is the tolerance of the solves times the condition of U;
  /// errors are relative to the contributions of the samples before these cancel.
  void compare(const RunPoint& point, double loss) {
    CollapsedModel& model = subject_.model();
    std::vector<double> g(
        static_cast<std::size_t>(subject_.layout().slice().size() * subject_.layout().outputs()));
    (void)model.set_parameters(point.theta);
    (void)subject_.loss().value_and_gradient(model.w(), g.data());
    (void)model.write_gradient(g.data(), collapsed_.get());
    double size = 0.0, difference = 0.0, readout = 0.0, image = 0.0;
    check(VecNorm(by_samples_.get(), NORM_2, &size));
    check(VecAXPY(collapsed_.get(), -1.0, by_samples_.get()));
    check(VecNorm(collapsed_.get(), NORM_2, &difference));
    for (std::size_t i = 0; i < g.size(); ++i) {
      readout += g[i] * g[i];
      image += model.w()[i] * model.w()[i];
    }
    double sums[2] = {readout, image};
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, subject_.grid().world()));
    if (size == 0.0 || sums[0] == 0.0) return;
    const double gamma = model.gamma();
    const double condition = (1.0 + gamma) / (1.0 - gamma);
    const double accuracy = subject_.rtol() + model.weight_error();
    const double uncancelled =
        subject_.gradient_size(loss) * (1.0 + gamma * std::sqrt(sums[1])) / (1.0 - gamma) / size;
    gradients_.add(difference / size, accuracy * condition * std::max(1.0, uncancelled), point.step,
                   point.file);
  }

  Subject& subject_;
  VecHandle by_samples_, collapsed_;
  Worst gradients_, equilibria_, adjoints_;
};

}  // namespace

std::unique_ptr<Claim> make_equilibrium_gradient_claim(Subject& subject) {
  return std::make_unique<EquilibriumGradientClaim>(subject);
}

}  // namespace audit
}  // namespace poise
