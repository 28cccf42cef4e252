#include "poise/theory/convex_optimum.hpp"

#include <fmt/format.h>
#include <petsctao.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/options.hpp"
#include "poise/model/classification_loss.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/theory/classification_rates.hpp"
#include "poise/theory/optimum_certificate.hpp"
#include "poise/theory/rank_reductions.hpp"

namespace poise {
inline namespace theory {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
/// After a failed certificate the next one is tried when the gradient is shorter by this factor.
constexpr double next_attempt = 0.1;
/// Newton's method squares the error. If a step near the optimum shrinks the gradient by less than this
/// factor, the gradient has reached its rounding.
constexpr double newton_gain = 0.5;

double norm_over_ranks(MPI_Comm comm, const std::vector<double>& x) {
  std::vector<double> sum{std::inner_product(x.begin(), x.end(), x.begin(), 0.0)};
  sum_over_ranks(comm, sum);
  return std::sqrt(sum[0]);
}

/// Subtracts from every column of W (a row of the block) its mean: cross-entropy does not depend on the mean,
/// so that rounding could make it arbitrarily large.
void remove_means(Index rows, Index q, double* w) {
  for (Index k = 0; k < rows; ++k) {
    double mean = 0.0;
    for (Index c = 0; c < q; ++c) mean += w[c * rows + k] / static_cast<double>(q);
    for (Index c = 0; c < q; ++c) w[c * rows + k] -= mean;
  }
}

/// The search for the optimum of L₀, independent of the minimiser: loss and gradient at the current point,
/// and whether that point ends the search. All blocks are slice rows x q.
class OptimumSearch {
 public:
  /// Collective on the world. `loss` and `settings` must outlive it.
  OptimumSearch(ShallowLoss& loss, const ConvexOptimumSettings& settings);

  [[nodiscard]] MPI_Comm world() const { return loss_.layout().grid().world(); }
  [[nodiscard]] bool boxed() const;
  /// Entries of a block.
  [[nodiscard]] Index size() const { return static_cast<Index>(w_.size()); }
  /// Collective on the world. Computes L₀ and its gradient at w, unless they are known. If the loss does not
  /// depend on the means of the columns of W, they are subtracted first. Throws failure if the loss is not
  /// finite.
  void evaluate(const double* w);
  [[nodiscard]] double loss() const { return known_.loss; }
  [[nodiscard]] const std::vector<double>& gradient() const { return gradient_; }
  /// (s ρ ΦΦᵀ)⁺ of a block, in place, ρ the largest curvature of the loss. Collective on the world.
  void precondition(double* block);

  enum class Verdict { goes_on, found, hopeless };
  /// Collective on the world. Call it after an iteration that ended at w.
  [[nodiscard]] Verdict judge(const double* w);

  /// Whether an optimum or separation is proved.
  [[nodiscard]] bool has_result() const { return found_ || !optimum_.attained; }
  [[nodiscard]] ConvexOptimum& optimum() { return optimum_; }
  /// The error to throw if the minimiser ended for `reason` without a result.
  [[nodiscard]] Error no_proof(const std::string& reason) const;

 private:
  [[nodiscard]] double samples_scale() const;
  [[nodiscard]] bool is_separated();
  void keep(const OptimumCertificate& certificate);

  ShallowLoss& loss_;
  const ConvexOptimumSettings& settings_;
  OptimumCertifier certifier_;
  std::vector<double> w_, gradient_;  // the point at which L₀ is known, and the gradient
  Score known_;
  bool is_known_ = false;
  double attempt_below_ = std::numeric_limits<double>::infinity();
  double last_norm_ = 0.0, last_w_norm_ = 0.0, last_rounding_ = 0.0;
  double best_bound_ = std::numeric_limits<double>::infinity();
  bool found_ = false;
  ConvexOptimum optimum_;
};

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
    throw Error(ExitCode::failed, "the loss is NaN or Inf in the search for L*: check the features", true);
}

bool OptimumSearch::is_separated() {
  if (boxed() || known_.accuracy < 1.0) return false;
  optimum_.margin = smallest_margin(loss_, w_.data());
  // A sum of m products has an error of at most m ε times the norms.
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
                     "that no W attains the infimum L*, which is at most " +
                         to_text(known_.loss) +
                         "; ask for the optimum in a box or, if the classes are not separable, for "
                         "whitened features"),
      true};
}

constexpr PetscInt most_iterations = 100;

using TaoHandle = Handle<Tao, TaoDestroy>;

/// A TAO that is set from the options and has no objective yet.
TaoHandle make_tao(MPI_Comm comm) {
  TaoHandle tao;
  check(TaoCreate(comm, tao.out()));
  check(TaoSetOptionsPrefix(tao.get(), "optimum_"));
  check(TaoSetType(tao.get(), TAOBNTR));
  check(TaoSetTolerances(tao.get(), 0.0, 0.0, 0.0));  // `OptimumSolve::test` decides
  check(TaoSetMaximumIterations(tao.get(), most_iterations));
  set_from_options(tao.get());
  return tao;
}

/// One solve by TAO, with its callbacks.
class OptimumSolve {
 public:
  OptimumSolve(ShallowLoss& loss, const ConvexOptimumSettings& settings)
      : loss_(loss),
        settings_(settings),
        search_(loss, settings),
        hessian_(search_.world(), search_.size(),
                 [this](const double* v, double* out) { loss_.hessian_product(v, out); }),
        tao_(make_tao(search_.world())) {
    register_callbacks();
  }
  OptimumSolve(const OptimumSolve&) = delete;  // PETSc holds pointers to it
  OptimumSolve& operator=(const OptimumSolve&) = delete;

  ConvexOptimum run();

 private:
  void register_callbacks();
  void choose_preconditioner();
  /// Runs after every iteration; sets TAO's reason if the solve must end.
  void test();

  ShallowLoss& loss_;
  const ConvexOptimumSettings& settings_;
  OptimumSearch search_;
  ShellOperator hessian_;
  TaoHandle tao_;
};

void OptimumSolve::register_callbacks() {
  Tao tao = tao_.get();
  choose_preconditioner();
  check(TaoSetObjectiveAndGradient(
      tao, nullptr,
      +[](Tao, Vec w, PetscReal* value, Vec gradient, void* self) -> PetscErrorCode {
        return guarded([&] {
          auto& solve = *static_cast<OptimumSolve*>(self);
          solve.search_.evaluate(ReadArray(w).data());
          *value = solve.search_.loss();
          const std::vector<double>& entries = solve.search_.gradient();
          std::copy(entries.begin(), entries.end(), WriteArray(gradient).data());
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
  check(
      PCSetType(pc, search_.boxed() ? PCNONE : PCSHELL));  // with a box TAO solves only for the free entries
  if (search_.boxed()) return;
  check(PCShellSetContext(pc, this));
  check(PCShellSetApply(
      pc, +[](PC shell, Vec x, Vec y) -> PetscErrorCode {
        return guarded([&] {
          OptimumSolve* self = nullptr;
          check(PCShellGetContext(shell, &self));
          check(VecCopy(x, y));
          self->search_.precondition(WriteArray(y).data());
        });
      }));
}

void OptimumSolve::test() {
  Tao tao = tao_.get();
  Vec w = nullptr;
  check(TaoGetSolution(tao, &w));
  const OptimumSearch::Verdict verdict = search_.judge(ReadArray(w).data());
  if (verdict == OptimumSearch::Verdict::found)
    check(TaoSetConvergedReason(tao, TAO_CONVERGED_USER));
  else if (verdict == OptimumSearch::Verdict::hopeless)
    check(TaoSetConvergedReason(tao, TAO_DIVERGED_USER));
  else
    check(TaoDefaultConvergenceTest(tao, nullptr));
}

ConvexOptimum OptimumSolve::run() {
  static const LogEvent event("ConvexOptimum");
  const auto scope = event.begin();
  Tao tao = tao_.get();
  const VecHandle w = create_vec(search_.world(), search_.size());
  check(VecSet(w.get(), 0.0));
  VecHandle low, high;
  if (search_.boxed()) {
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
  if (!search_.has_result()) throw search_.no_proof(TaoConvergedReasons[reason]);
  ConvexOptimum& optimum = search_.optimum();
  if (search_.boxed() && largest_entry(loss_.layout(), optimum.w.data()) > settings_.box)
    throw Error(ExitCode::failed, "the optimum lies outside the box: this -optimum_tao_type ignores bounds",
                true);
  PetscInt iterations = 0;
  check(TaoGetIterationNumber(tao, &iterations));
  optimum.iterations = iterations;
  optimum.box = settings_.box;
  return std::move(optimum);
}

}  // namespace

ConvexOptimum solve_convex_optimum(ShallowLoss& loss, const ConvexOptimumSettings& settings) {
  if (!(settings.box > 0.0))
    throw Error(ExitCode::bad_input,
                "the box |W_ij| <= " + to_text(settings.box) + " is empty: its size must be positive", true);
  return OptimumSolve(loss, settings).run();
}

void consult_convex_optimum(MPI_Comm comm) {
  (void)make_tao(comm);
}

std::string ConvexOptimum::statement() const {
  if (!attained)
    return fmt::format(
        "the data are separable (margin {:.6g} at weights of norm 1): the infimum of the loss is 0 and is "
        "not "
        "attained",
        margin);
  const std::string where = constrained() ? fmt::format(" over |W_ij| <= {:.6g}", box) : "";
  return fmt::format(
      "the optimum of the convex problem{} is {}, proved to {:.6g}, with weights of norm {:.6g}", where,
      to_text(loss), error_bound, norm);
}

}  // namespace theory
}  // namespace poise
