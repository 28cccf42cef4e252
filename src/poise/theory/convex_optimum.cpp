#include "poise/theory/convex_optimum.hpp"

#include <fmt/format.h>

#include <petsctao.h>

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/options.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/theory/classification_constants.hpp"
#include "poise/theory/optimum_search.hpp"

namespace poise {
namespace {

constexpr PetscInt most_iterations = 100;

using TaoHandle = Handle<Tao, TaoDestroy>;

/// Set from options; without an objective.
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

/// One solve: TAO's callbacks.
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
  /// Runs after every iteration; sets TAO's reason where the solve is to end.
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
      PCSetType(pc, search_.boxed() ? PCNONE : PCSHELL));  // with a box TAO solves for the free entries alone
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
    throw Error(ExitCode::failed, "the optimum lies outside the box: this -optimum_tao_type takes no bounds",
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
    throw Error(ExitCode::bad_input, "the box |W_ij| <= " + to_text(settings.box) + " has no inside", true);
  return OptimumSolve(loss, settings).run();
}

void consult_convex_optimum(MPI_Comm comm) {
  (void)make_tao(comm);
}

std::string ConvexOptimum::statement() const {
  if (!attained)
    return fmt::format(
        "the data are separable (margin {:.6g} at weights of norm 1): the infimum of the loss is 0 and not "
        "attained",
        margin);
  const std::string where = constrained() ? fmt::format(" over |W_ij| <= {:.6g}", box) : "";
  return fmt::format(
      "the optimum of the convex problem{} is {}, proved to {:.6g}, with weights of norm {:.6g}", where,
      to_text(loss), error_bound, norm);
}

}  // namespace poise
