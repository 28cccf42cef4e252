#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/audit/claims.hpp"
#include "poise/base/brief.hpp"
#include "poise/theory/least_squares_reference.hpp"
#include "poise/theory/rank_reductions.hpp"

namespace poise {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

/// L* and W* of the squared loss by another way than they are computed: from the residuals of every sample.
/// W* is an optimum if its gradient vanishes (the loss is convex), and L* its value.
class OptimumClaim final : public Claim {
 public:
  explicit OptimumClaim(Subject& subject) : subject_(subject) {}

  void see(const RunPoint&) override {}

  void judge(VerdictTable& table) override {
    const std::string loss_claim = "L* equals the loss of W* summed over the samples";
    const std::string gradient_claim = "gradient at W* vanishes, summed over the samples";
    const std::string why =
        !subject_.linear() ? "no closed form of L* is known for this model"
        : !subject_.problem().loss->least_squares()
            ? !subject_.problem().loss->has_proven_rate()
                  ? "no L* is known for -loss " + subject_.problem().loss->name()
                  : "L* of -loss " + subject_.problem().loss->name() + " is proved by its certificate"
            : "";
    if (!why.empty()) {
      table.add(does_not_apply("optimum", loss_claim, "5.2", why));
      table.add(does_not_apply("optimum_gradient", gradient_claim, "5.2", why));
      return;
    }
    measure();
    Worst loss, gradient;
    loss.add(std::abs(residual_loss_ - optimal_loss_), loss_allowance_, -1);
    gradient.add(gradient_norm_, gradient_allowance_, -1);
    Row row = loss.row("optimum", loss_claim, "5.2");
    row.note = "L* = " + brief(subject_.problem().loss_unit * optimal_loss_, 10);
    table.add(row);
    table.add(gradient.row("optimum_gradient", gradient_claim, "5.2"));
  }

 private:
  void measure() {
    ShallowLoss& loss = subject_.loss();
    const Problem& problem = subject_.problem();
    const Index q = problem.outputs;
    const double s = problem.scale(problem.train.total);
    const LeastSquaresReference reference(*loss.factor(), q, s);
    optimal_loss_ = reference.optimal_loss();
    std::vector<double> gradient(reference.optimum().size());
    LossSum sum;
    const auto visit = [&](Index first, Index columns, double* f) {
      sum.loss += problem.loss
                      ->evaluate(q, columns, f, problem.train.targets.data() + first * q, f,
                                 problem.train.weights_from(first))
                      .loss;
    };
    loss.sum_over_outputs(reference.optimum().data(), problem.train, visit, gradient.data());
    residual_loss_ = s * sum_over_samples(subject_.grid(), sum).loss;
    std::vector<double> norms2{0.0, 0.0};
    for (std::size_t e = 0; e < gradient.size(); ++e) {
      norms2[0] += gradient[e] * gradient[e];
      norms2[1] += reference.optimum()[e] * reference.optimum()[e];
    }
    sum_over_ranks(subject_.grid().world(), norms2);
    gradient_norm_ = std::sqrt(norms2[0]);
    // Outputs are off by ε of what they are sums of, ‖W*‖‖Φ‖, and of the targets.
    const auto m = static_cast<double>(subject_.layout().width());
    const double size =
        reference.svd().largest() * std::sqrt(norms2[1]) + std::sqrt(loss.factor()->targets_norm2);
    const double lost = 8.0 * epsilon * std::sqrt(m) * size;  // of ‖W*Φ − Y‖
    loss_allowance_ = 2.0 * std::sqrt(s * optimal_loss_) * lost + s * lost * lost +
                      8.0 * epsilon * optimal_loss_ + reference.optimal_loss_rounding();
    gradient_allowance_ = 2.0 * s * reference.svd().largest() * lost;
  }

  Subject& subject_;
  double optimal_loss_ = 0.0, residual_loss_ = 0.0, gradient_norm_ = 0.0, loss_allowance_ = 0.0,
         gradient_allowance_ = 0.0;
};

}  // namespace

std::unique_ptr<Claim> make_optimum_claim(Subject& subject) {
  return std::make_unique<OptimumClaim>(subject);
}

}  // namespace poise
