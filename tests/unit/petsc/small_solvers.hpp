#pragma once

#include <petscsnes.h>
#include <petsctao.h>
#include <petscts.h>
#include <slepceps.h>

#include <string>

#include "poise/base/check.hpp"
#include "poise/petsc/handle.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"

namespace poise::testing_support {

/// Solvers of every kind for a diagonal matrix that has only products, made with a prefix and set by
/// `set_from_options`.
class SmallSolvers {
 public:
  explicit SmallSolvers(MPI_Comm comm)
      : matrix_(comm, size, multiply, multiply),
        rhs_(create_vec(comm, size)),
        x_(duplicate(rhs_.get())),
        residual_(duplicate(rhs_.get())),
        comm_(comm) {
    check(VecSet(rhs_.get(), 1.0));
  }

  void make(const std::string& kind, const std::string& prefix) {
    kind_ = kind;
    if (kind == "KSP") make_ksp(prefix);
    if (kind == "SNES") make_snes(prefix);
    if (kind == "TS") make_ts(prefix);
    if (kind == "EPS" || kind == "GEPS") make_eps(prefix);
    if (kind == "TAO") make_tao(prefix);
  }

  void solve() {
    check(VecSet(x_.get(), kind_ == "TS" ? 1.0 : 0.0));
    if (kind_ == "KSP") check(KSPSolve(ksp_.get(), rhs_.get(), x_.get()));
    if (kind_ == "SNES") check(SNESSolve(snes_.get(), nullptr, x_.get()));
    if (kind_ == "TS") check(TSSolve(ts_.get(), x_.get()));
    if (kind_ == "EPS" || kind_ == "GEPS") check(EPSSolve(eps_.get()));
    if (kind_ == "TAO") check(TaoSetSolution(tao_.get(), x_.get()));
    if (kind_ == "TAO") check(TaoSolve(tao_.get()));
  }

  [[nodiscard]] ReadArray solution() const { return ReadArray(x_.get()); }
  [[nodiscard]] KSP ksp() const { return ksp_.get(); }

 private:
  static constexpr Index size = 12;

  static void multiply(const double* x, double* y) {
    for (Index i = 0; i < size; ++i) y[i] = (1.0 + 0.1 * static_cast<double>(i)) * x[i];
  }
  static SmallSolvers& self(void* context) { return *static_cast<SmallSolvers*>(context); }

  void make_ksp(const std::string& prefix) {
    check(KSPCreate(comm_, ksp_.out()));
    check(KSPSetOptionsPrefix(ksp_.get(), prefix.c_str()));
    check(KSPSetOperators(ksp_.get(), matrix_.get(), matrix_.get()));
    set_none(ksp_.get());
    set_from_options(ksp_.get());
  }

  static void set_none(KSP ksp) {
    PC pc = nullptr;
    check(KSPGetPC(ksp, &pc));
    check(PCSetType(pc, PCNONE));
  }

  void make_snes(const std::string& prefix) {
    check(SNESCreate(comm_, snes_.out()));
    check(SNESSetOptionsPrefix(snes_.get(), prefix.c_str()));
    check(SNESSetFunction(
        snes_.get(), residual_.get(),
        +[](SNES, Vec x, Vec f, void* context) -> PetscErrorCode {
          return guarded([&] {
            check(MatMult(self(context).matrix_.get(), x, f));
            check(VecShift(f, -1.0));
          });
        },
        this));
    check(SNESSetJacobian(
        snes_.get(), matrix_.get(), matrix_.get(),
        +[](SNES, Vec, Mat, Mat, void*) -> PetscErrorCode { return static_cast<PetscErrorCode>(0); },
        nullptr));
    KSP ksp = nullptr;
    check(SNESGetKSP(snes_.get(), &ksp));
    set_none(ksp);
    set_from_options(snes_.get());
  }

  void make_ts(const std::string& prefix) {
    check(TSCreate(comm_, ts_.out()));
    check(TSSetOptionsPrefix(ts_.get(), prefix.c_str()));
    check(TSSetType(ts_.get(), TSRK));
    check(TSSetMaxTime(ts_.get(), 0.3));
    check(TSSetTimeStep(ts_.get(), 0.1));
    check(TSSetExactFinalTime(ts_.get(), TS_EXACTFINALTIME_MATCHSTEP));
    check(TSSetRHSFunction(
        ts_.get(), nullptr,
        +[](TS, PetscReal, Vec x, Vec f, void*) -> PetscErrorCode {
          return guarded([&] {
            check(VecCopy(x, f));
            check(VecScale(f, -1.0));
          });
        },
        nullptr));
    set_from_options(ts_.get());
  }

  void make_eps(const std::string& prefix) {
    check(EPSCreate(comm_, eps_.out()));
    check(EPSSetOptionsPrefix(eps_.get(), prefix.c_str()));
    const bool two = kind_ == "GEPS";
    check(EPSSetOperators(eps_.get(), matrix_.get(), two ? matrix_.get() : nullptr));
    check(EPSSetProblemType(eps_.get(), two ? EPS_GHEP : EPS_HEP));
    if (two) {
      ST transform = nullptr;
      KSP ksp = nullptr;
      check(EPSGetST(eps_.get(), &transform));
      check(STGetKSP(transform, &ksp));
      check(KSPSetType(ksp, KSPCG));
      set_none(ksp);
    }
    set_from_options(eps_.get());
  }

  void make_tao(const std::string& prefix) {
    check(TaoCreate(comm_, tao_.out()));
    check(TaoSetOptionsPrefix(tao_.get(), prefix.c_str()));
    check(TaoSetType(tao_.get(), TAONLS));
    check(TaoSetObjectiveAndGradient(
        tao_.get(), nullptr,
        +[](Tao, Vec x, PetscReal* value, Vec gradient, void* context) -> PetscErrorCode {
          return guarded([&] {
            PetscScalar sum = 0.0;
            check(MatMult(self(context).matrix_.get(), x, gradient));
            check(VecDot(x, gradient, value));
            check(VecSum(x, &sum));
            check(VecShift(gradient, -1.0));
            *value = 0.5 * *value - sum;
          });
        },
        this));
    check(TaoSetHessian(
        tao_.get(), matrix_.get(), matrix_.get(),
        +[](Tao, Vec, Mat, Mat, void*) -> PetscErrorCode { return static_cast<PetscErrorCode>(0); },
        nullptr));
    KSP ksp = nullptr;
    check(TaoGetKSP(tao_.get(), &ksp));
    if (ksp != nullptr) set_none(ksp);
    set_from_options(tao_.get());
  }

  ShellOperator matrix_;
  VecHandle rhs_, x_, residual_;
  MPI_Comm comm_;
  std::string kind_;
  KspHandle ksp_;
  SnesHandle snes_;
  TsHandle ts_;
  EpsHandle eps_;
  Handle<Tao, TaoDestroy> tao_;
};

}  // namespace poise::testing_support
