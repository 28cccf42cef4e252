#include <algorithm>
#include <cmath>

#include "poise/audit/claims.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"

namespace poise {
namespace {

/// By equilibria and adjoints of all samples, at a few checkpoints.
class EquilibriumGradientClaim final : public Claim {
 public:
  explicit EquilibriumGradientClaim(Subject& subject)
      : subject_(subject), by_samples_(subject.layout().create()), collapsed_(subject.layout().create()) {}

  void see(const RunPoint& point) override {
    if (!point.chosen || !subject_.has_equilibria()) return;
    static const LogEvent event("AuditEquilibriumGradient");
    const auto scope = event.begin();
    EquilibriumObjective& exact = subject_.exact();
    const Evaluation evaluation = exact.value_and_gradient(point.theta, by_samples_.get());
    const double rtol = exact.equilibrium().rtol();
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
    table.add(equilibria_.row("equilibria", "residual of every sample's equilibrium", "3.2", why));
    table.add(adjoints_.row("adjoints", "residual of every sample's adjoint", "3.2", why));
  }

 private:
  [[nodiscard]] bool compares() const {
    return subject_.linear() && subject_.has_equilibria() && subject_.network().jacobian_weight == 0.0;
  }

  /// -adj_ksp_rtol, where it is given.
  static double adjoint_tolerance(double rtol) {
    double given = rtol;
    check(PetscOptionsGetReal(nullptr, nullptr, "-adj_ksp_rtol", &given, nullptr));
    return given;
  }

  /// Relative to ‖∇L‖. The tolerance is that of the solves times the condition of U, and errors are relative
  /// to what the samples contribute before they cancel.
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
    const double accuracy = subject_.exact().equilibrium().rtol() + model.weight_error();
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

}  // namespace poise
