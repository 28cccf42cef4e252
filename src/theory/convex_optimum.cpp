#include "poise/theory/convex_optimum.hpp"

#include <petsctao.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/options.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/theory/classification_constants.hpp"
#include "poise/theory/optimum_certificate.hpp"
#include "poise/theory/row_slices.hpp"

namespace poise {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
constexpr PetscInt most_iterations = 100;
/// A certificate is sought again when the gradient is this much shorter.
constexpr double next_attempt = 0.1;
/// Newton's method squares the error: a step that gains less than this near the optimum meets rounding.
constexpr double newton_gain = 0.5;

std::string brief(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

Error collective_failure(const std::string& message) {
  return {ExitCode::failed, message, true};
}

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

/// One solve: TAO's callbacks and what they found.
class OptimumSolve {
 public:
  OptimumSolve(ShallowLoss& loss, const ConvexOptimumSettings& settings)
      : loss_(loss),
        settings_(settings),
        certifier_(loss, settings.box),
        size_(loss.layout().slice().size() * loss.layout().outputs()),
        hessian_(world(), size_, [this](const double* v, double* out) { loss_.hessian_product(v, out); }),
        known_w_(static_cast<std::size_t>(size_)),
        known_gradient_(known_w_.size()) {
    create_tao();
  }
  OptimumSolve(const OptimumSolve&) = delete;  // PETSc holds pointers to it
  OptimumSolve& operator=(const OptimumSolve&) = delete;

  ConvexOptimum run();

 private:
  [[nodiscard]] MPI_Comm world() const { return loss_.layout().grid().world(); }
  [[nodiscard]] bool boxed() const { return std::isfinite(settings_.box); }
  [[nodiscard]] double samples_scale() const {
    const Problem& problem = loss_.problem();
    return problem.scale(problem.train.total) * static_cast<double>(problem.train.total);
  }
  void create_tao();
  void choose_preconditioner();
  /// L₀ and its gradient at w, less its means, in known_*; computed unless they are there.
  void evaluate(Vec w);
  void precondition(Vec x, Vec y);
  /// Runs after every iteration; sets TAO's reason where the solve is to end.
  void test();
  [[nodiscard]] bool is_separated();
  void keep(const Certificate& certificate);
  [[nodiscard]] Error no_proof(TaoConvergedReason reason) const;

  ShallowLoss& loss_;
  const ConvexOptimumSettings& settings_;
  OptimumCertifier certifier_;
  Index size_;
  ShellOperator hessian_;
  Handle<Tao, TaoDestroy> tao_;
  std::vector<double> known_w_, known_gradient_;
  Score known_;
  bool is_known_ = false;
  double attempt_below_ = std::numeric_limits<double>::infinity();
  double last_norm_ = 0.0, last_w_norm_ = 0.0, last_rounding_ = 0.0;
  double best_bound_ = std::numeric_limits<double>::infinity();
  bool found_ = false;
  ConvexOptimum optimum_;
};

void OptimumSolve::create_tao() {
  check(TaoCreate(world(), tao_.out()));
  Tao tao = tao_.get();
  check(TaoSetOptionsPrefix(tao, "optimum_"));
  check(TaoSetType(tao, TAOBNTR));
  check(TaoSetTolerances(tao, 0.0, 0.0, 0.0));  // `test` decides
  check(TaoSetMaximumIterations(tao, most_iterations));
  check(TaoSetFromOptions(tao));
  choose_preconditioner();
  check(TaoSetObjectiveAndGradient(
      tao, nullptr,
      +[](Tao, Vec w, PetscReal* value, Vec gradient, void* self) -> PetscErrorCode {
        return guarded([&] {
          auto& solve = *static_cast<OptimumSolve*>(self);
          solve.evaluate(w);
          *value = solve.known_.loss;
          std::copy(solve.known_gradient_.begin(), solve.known_gradient_.end(), WriteArray(gradient).data());
        });
      },
      this));
  check(TaoSetHessian(
      tao, hessian_.get(), hessian_.get(),
      +[](Tao, Vec w, Mat, Mat, void* self) -> PetscErrorCode {
        return guarded([&] { static_cast<OptimumSolve*>(self)->loss_.linearise(ReadArray(w).data()); });
      },
      this));
  check(TaoSetConvergenceTest(
      tao,
      +[](Tao, void* self) -> PetscErrorCode {
        return guarded([&] { static_cast<OptimumSolve*>(self)->test(); });
      },
      this));
}

void OptimumSolve::choose_preconditioner() {
  KSP ksp = nullptr;
  check(TaoGetKSP(tao_.get(), &ksp));
  if (ksp == nullptr) return;  // not a Newton type
  PC pc = nullptr;
  const char* prefix = nullptr;
  PetscBool chosen = PETSC_FALSE;
  check(KSPGetPC(ksp, &pc));
  check(PCGetOptionsPrefix(pc, &prefix));
  check(PetscOptionsHasName(nullptr, prefix, "-pc_type", &chosen));
  if (chosen) return;
  check(PCSetType(pc, boxed() ? PCNONE : PCSHELL));  // with a box TAO solves for the free entries alone
  if (boxed()) return;
  check(PCShellSetContext(pc, this));
  check(PCShellSetApply(
      pc, +[](PC shell, Vec x, Vec y) -> PetscErrorCode {
        return guarded([&] {
          OptimumSolve* self = nullptr;
          check(PCShellGetContext(shell, &self));
          self->precondition(x, y);
        });
      }));
}

void OptimumSolve::precondition(Vec x, Vec y) {
  check(VecCopy(x, y));
  WriteArray entries(y);
  certifier_.spectrum().apply_pseudo_inverse(loss_.layout().outputs(), entries.data());
  const double s = loss_.problem().scale(loss_.problem().train.total);
  for (double& entry : entries.span()) entry /= s * largest_loss_curvature(loss_.problem().loss);
}

void OptimumSolve::evaluate(Vec w) {
  std::vector<double> entries(known_w_.size());
  std::copy_n(ReadArray(w).data(), size_, entries.begin());
  if (!boxed() && loss_.problem().loss == LossKind::cross_entropy)
    remove_means(loss_.layout().slice().size(), loss_.layout().outputs(), entries.data());
  int same = is_known_ && entries == known_w_ ? 1 : 0;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &same, 1, MPI_INT, MPI_MIN, world()));
  if (same == 1) return;
  known_w_ = std::move(entries);
  known_ = loss_.value_and_gradient(known_w_.data(), known_gradient_.data());
  is_known_ = true;
  if (!std::isfinite(known_.loss))
    throw collective_failure("the loss is NaN or Inf while L* was sought: look at the features");
}

bool OptimumSolve::is_separated() {
  if (boxed() || known_.accuracy < 1.0) return false;
  optimum_.margin = smallest_margin(loss_, known_w_.data());
  // A product of m terms is off by at most m ε times the norms.
  const double rounding = 2.0 * static_cast<double>(loss_.layout().width()) * epsilon * last_w_norm_ *
                          certifier_.norms().largest_two;
  return optimum_.margin > rounding;
}

void OptimumSolve::keep(const Certificate& certificate) {
  found_ = true;
  optimum_.w = known_w_;
  optimum_.multiplier = certificate.multiplier;
  optimum_.loss = known_.loss;
  optimum_.error_bound = certificate.error_bound;
  optimum_.gradient_norm = certificate.free_norm;
  optimum_.gradient_rounding = certificate.rounding;
  optimum_.loss_rounding = certificate.loss_rounding;
  optimum_.norm = last_w_norm_;
}

void OptimumSolve::test() {
  Tao tao = tao_.get();
  Vec w = nullptr;
  check(TaoGetSolution(tao, &w));
  evaluate(w);
  last_w_norm_ = norm_over_ranks(world(), known_w_);
  if (is_separated()) {
    optimum_.attained = false;
    optimum_.margin /= last_w_norm_;
    optimum_.w = known_w_;
    optimum_.norm = last_w_norm_;
    check(TaoSetConvergedReason(tao, TAO_CONVERGED_USER));
    return;
  }
  const Certificate here = certifier_.free_gradient(known_w_.data(), known_gradient_.data());
  const bool stagnates = here.free_norm > newton_gain * last_norm_;
  last_norm_ = here.free_norm;
  last_rounding_ = here.rounding;
  const double target = settings_.tolerance * samples_scale();
  const bool improves = !found_ || here.free_norm < optimum_.gradient_norm;
  if (here.free_norm <= std::min(attempt_below_, certifier_.longest_gradient(target)) && improves) {
    const Certificate proof = certifier_.certify(known_w_.data(), known_gradient_.data());
    best_bound_ = std::min(best_bound_, proof.error_bound);
    if (proof.error_bound <= target)
      keep(proof);
    else
      attempt_below_ = next_attempt * here.free_norm;
  }
  const bool at_rounding = here.free_norm <= here.rounding;
  if (found_ && (stagnates || at_rounding))
    check(TaoSetConvergedReason(tao, TAO_CONVERGED_USER));
  else if (here.free_norm <= 1e-3 * here.rounding)
    check(TaoSetConvergedReason(tao, TAO_DIVERGED_USER));
  else
    check(TaoDefaultConvergenceTest(tao, nullptr));
}

Error OptimumSolve::no_proof(TaoConvergedReason reason) const {
  return collective_failure(
      "L* was not found to " + brief(settings_.tolerance) + ": TAO (optimum_) ended with " +
      TaoConvergedReasons[reason] + " at a gradient of norm " + brief(last_norm_) + " (rounding " +
      brief(last_rounding_) + ") and weights of norm " + brief(last_w_norm_) + ", where " +
      (std::isfinite(best_bound_) ? "the error bound is " + brief(best_bound_) : "there is no error bound") +
      "; if the data are separable in part the infimum is not attained: ask for the optimum in a box, else "
      "for "
      "a looser tolerance or whitened features");
}

ConvexOptimum OptimumSolve::run() {
  static const LogEvent event("ConvexOptimum");
  const auto scope = event.begin();
  Tao tao = tao_.get();
  const VecHandle w = create_vec(world(), size_);
  check(VecSet(w.get(), 0.0));
  VecHandle low, high;
  if (boxed()) {
    low = duplicate(w.get());
    high = duplicate(w.get());
    check(VecSet(low.get(), -settings_.box));
    check(VecSet(high.get(), settings_.box));
    check(TaoSetVariableBounds(tao, low.get(), high.get()));
  }
  check(TaoSetSolution(tao, w.get()));
  check(TaoSolve(tao));
  TaoConvergedReason reason = TAO_CONTINUE_ITERATING;
  check(TaoGetConvergedReason(tao, &reason));
  if (optimum_.attained && !found_) throw no_proof(reason);
  if (boxed() && largest_entry(loss_.layout(), optimum_.w.data()) > settings_.box)
    throw collective_failure("the optimum lies outside the box: this -optimum_tao_type takes no bounds");
  PetscInt iterations = 0;
  check(TaoGetIterationNumber(tao, &iterations));
  optimum_.iterations = iterations;
  optimum_.box = settings_.box;
  return std::move(optimum_);
}

}  // namespace

ConvexOptimum solve_convex_optimum(ShallowLoss& loss, const ConvexOptimumSettings& settings) {
  if (!(settings.box > 0.0))
    throw Error(ExitCode::bad_input, "the box |W_ij| <= " + to_text(settings.box) + " has no inside", true);
  return OptimumSolve(loss, settings).run();
}

std::string ConvexOptimum::statement() const {
  if (!attained)
    return "the data are separable (margin " + brief(margin) +
           " at weights of norm 1): the infimum of the loss is 0 and not attained";
  const std::string where = constrained() ? " over |W_ij| <= " + brief(box) : "";
  return "the optimum of the convex problem" + where + " is " + to_text(loss) + ", proved to " +
         brief(error_bound) + ", with weights of norm " + brief(norm);
}

}  // namespace poise
