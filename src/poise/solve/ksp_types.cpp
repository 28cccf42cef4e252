// The KSP types of Poise: each iterates the columns of a PanelOperator by a ColumnIteration.
#include <petsc/private/kspimpl.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "poise/solve/iterations.hpp"
#include "poise/solve/outcome.hpp"
#include "poise/solve/panel_operator.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/solve/solver_types.hpp"

namespace poise {
inline namespace solve {
namespace {

/// A KSP type; the object that ksp->data points to.
class SampleKsp {
 public:
  using Limits = ColumnIteration::Limits;
  using Result = ColumnIteration::Result;
  virtual ~SampleKsp() = default;

  /// Throws bad_input if the type does not suit the operator. `option`: the option that chose the type;
  /// `preconditioner`: the type of its PC.
  virtual void require_suited(const PanelOperator& op, const std::string& option,
                              const std::string& preconditioner) const = 0;
  [[nodiscard]] virtual std::string description() const = 0;
  virtual void set_up(PanelOperator& op, PC pc) = 0;
  [[nodiscard]] virtual ColumnIteration& iteration() = 0;
  virtual void reset() = 0;
  virtual Result run(PanelOperator& op, bool transposed, const double* rhs, double* x,
                     const Limits& limits) = 0;
  /// Whether the product is Op x itself. Then the residual belongs to the iterate before.
  [[nodiscard]] virtual bool multiplies() const { return false; }

  SampleIteration shared;
};

class MeanFieldKsp final : public SampleKsp {
 public:
  void require_suited(const PanelOperator& op, const std::string& option,
                      const std::string& preconditioner) const override {
    if (!op.map().pointwise_form())
      throw refusal_of(option + " needs a model of the form h(z) = a(Wz + u); try gmres");
    if (preconditioner != PCNONE && preconditioner != pc_mean_field)
      throw refusal_of(option + " is preconditioned by the mean field already; leave the pc_type " +
                       preconditioner + " out");
  }
  [[nodiscard]] std::string description() const override {
    return "mean-field chord: one product with W (I - DW)^-1 an iteration";
  }
  void set_up(PanelOperator& op, PC) override {
    iteration_ = std::make_unique<MeanFieldLinear>(op, static_cast<std::size_t>(shared.mixing));
  }
  ColumnIteration& iteration() override { return *iteration_; }
  void reset() override { iteration_.reset(); }
  Result run(PanelOperator& op, bool transposed, const double* rhs, double* x,
             const Limits& limits) override {
    return iteration_->run(op, transposed, rhs, x, limits);
  }

 private:
  std::unique_ptr<MeanFieldLinear> iteration_;
};

class NeumannKsp final : public SampleKsp {
 public:
  void require_suited(const PanelOperator& op, const std::string& option,
                      const std::string& preconditioner) const override {
    if (!NeumannIteration::suits(op))
      throw refusal_of(option + " does not suit this model: it must have as many slopes as states, or none");
    if (preconditioner != PCNONE && preconditioner != pc_perron)
      throw refusal_of(option + " takes the pc_type none or perron, not " + preconditioner);
  }
  [[nodiscard]] std::string description() const override {
    return corrected_ ? "Neumann series with the correction of the slow mode" : "Neumann series";
  }
  void set_up(PanelOperator& op, PC pc) override {
    corrected_ = type_of(pc) == pc_perron;
    iteration_ = std::make_unique<NeumannIteration>(op, corrected_ ? &op.mean()->perron() : nullptr,
                                                    static_cast<std::size_t>(shared.mixing));
  }
  ColumnIteration& iteration() override { return *iteration_; }
  void reset() override { iteration_.reset(); }
  bool multiplies() const override { return true; }
  Result run(PanelOperator& op, bool transposed, const double* rhs, double* x,
             const Limits& limits) override {
    return iteration_->run(op, transposed, rhs, x, limits);
  }

 private:
  bool corrected_ = false;
  std::unique_ptr<NeumannIteration> iteration_;
};

SampleKsp& sample_ksp(KSP ksp) {
  return *static_cast<SampleKsp*>(ksp->data);
}

bool is_ours(KSP ksp) {
  return is_own_ksp(type_of(ksp));
}

PanelOperator& operator_of(KSP ksp) {
  Mat mat = nullptr;
  check(KSPGetOperators(ksp, nullptr, &mat));
  return PanelOperator::of(mat, type_option(ksp));
}

bool is_skipped(KSP ksp) {
  return ksp->converged == KSPConvergedSkip || ksp->normtype == KSP_NORM_NONE;
}

PetscErrorCode tell_monitors(KSP ksp, PetscInt iteration, PetscReal residual) {
  PetscFunctionBegin;
  ksp->its = iteration;
  ksp->rnorm = residual;
  PetscCall(KSPLogResidualHistory(ksp, residual));
  PetscCall(KSPMonitor(ksp, iteration, residual));
  PetscFunctionReturn(static_cast<PetscErrorCode>(0));
}

bool go_on(KSP ksp, Index products, double worst) {
  SampleKsp& type = sample_ksp(ksp);
  if (ksp->numbermonitors > 0) type.iteration().show();  // monitors may look at the solution
  check(tell_monitors(ksp, static_cast<PetscInt>(products - (type.multiplies() ? 1 : 0)), worst));
  return true;
}

/// Tells monitors the relative residual of the worst column at the start, for a type that does not compute
/// it.
void tell_start(KSP ksp, PanelOperator& op, bool transposed, const double* rhs, const double* x) {
  const Index rows = op.map().local_states();
  std::vector<double> residual(static_cast<std::size_t>(rows * op.p()));
  op.show_residual(transposed, rhs, x, residual.data());
  std::vector<double> norms(static_cast<std::size_t>(2 * op.p()));
  column_norms(op.comm(), rows, op.p(), residual.data(), norms.data());
  column_norms(op.comm(), rows, op.p(), rhs, norms.data() + op.p());
  double worst = 0.0;
  for (Index c = 0; c < op.p(); ++c) {
    const double size = norms[op.p() + c];
    worst = std::max(worst, size > 0.0 ? norms[c] / size : norms[c]);
  }
  check(tell_monitors(ksp, 0, worst));
}

KSPConvergedReason reason_of(KSP ksp, const ColumnIteration::Result& result) {
  if (result.failure == ColumnIteration::Failure::not_a_number) return KSP_DIVERGED_NANORINF;
  if (is_skipped(ksp)) return KSP_CONVERGED_ITS;
  if (result.left.empty()) return KSP_CONVERGED_RTOL;
  return result.failure == ColumnIteration::Failure::divergence ? KSP_DIVERGED_DTOL : KSP_DIVERGED_ITS;
}

void solve_panel(KSP ksp) {
  SampleKsp& type = sample_ksp(ksp);
  PanelOperator& op = operator_of(ksp);
  const ReadArray rhs(ksp->vec_rhs);
  WriteArray x(ksp->vec_sol);
  if (ksp->guess_zero == PETSC_TRUE)  // at least as good a start as zero, for no product
    std::copy(rhs.span().begin(), rhs.span().end(), x.data());
  const bool transposed = op.transposed() != (ksp->transpose_solve == PETSC_TRUE);
  ColumnIteration::Limits limits{
      .relative = ksp->rtol,
      .absolute = ksp->abstol,
      .iterations = Index{ksp->max_it} + (type.multiplies() ? 1 : 0),
      .patient = type.shared.patient,
      .divergence = ksp->divtol,
      .finish_none = is_skipped(ksp),
      .event = event_named(type.multiplies() ? "MatMult" : "PCApply"),
      .progress = [&](Index products, double worst) { return go_on(ksp, products, worst); }};
  if (!type.multiplies() && (ksp->numbermonitors > 0 || ksp->res_hist != nullptr))
    limits.start = [&] { tell_start(ksp, op, transposed, rhs.data(), x.data()); };
  const ColumnIteration::Result result = type.run(op, transposed, rhs.data(), x.data(), limits);
  // Columns beyond the p columns of the panel have the equation x = r.
  const auto used = static_cast<std::size_t>(op.p() * op.map().local_states());
  std::copy(rhs.span().begin() + static_cast<std::ptrdiff_t>(used), rhs.span().end(), x.data() + used);
  ksp->reason = reason_of(ksp, result);
  op.count_products(result.products);
  type.shared.failure = to_string(result.failure);
}

PetscErrorCode solve_op(KSP ksp) {
  return guarded([&] { solve_panel(ksp); });
}
PetscErrorCode setup_op(KSP ksp) {
  return guarded([&] {
    PanelOperator& op = operator_of(ksp);
    SampleKsp& type = sample_ksp(ksp);
    type.require_suited(op, type_option(ksp), type_of(ksp->pc));
    type.set_up(op, ksp->pc);
  });
}
PetscErrorCode reset_op(KSP ksp) {
  return guarded([&] { sample_ksp(ksp).reset(); });
}
PetscErrorCode destroy_op(KSP ksp) {
  delete static_cast<SampleKsp*>(ksp->data);
  ksp->data = nullptr;
  return static_cast<PetscErrorCode>(0);
}
PetscErrorCode set_from_options_op(KSP ksp, OptionItems items) {
  return guarded([&] { read_options(sample_ksp(ksp).shared, items, "ksp", true); });
}
PetscErrorCode view_op(KSP ksp, PetscViewer viewer) {
  return guarded([&] { view(sample_ksp(ksp).shared, viewer, sample_ksp(ksp).description()); });
}

template <class Type>
PetscErrorCode create_op(KSP ksp) {
  return guarded([&] {
    ksp->data = std::make_unique<Type>().release();
    ksp->ops->setup = setup_op;
    ksp->ops->solve = solve_op;
    ksp->ops->reset = reset_op;
    ksp->ops->destroy = destroy_op;
    ksp->ops->setfromoptions = set_from_options_op;
    ksp->ops->view = view_op;
    ksp->ops->buildsolution = KSPBuildSolutionDefault;
    ksp->ops->buildresidual = KSPBuildResidualDefault;
    check(KSPSetSupportedNorm(ksp, KSP_NORM_UNPRECONDITIONED, PC_LEFT, 3));
    check(KSPSetSupportedNorm(ksp, KSP_NORM_UNPRECONDITIONED, PC_RIGHT, 2));
    check(KSPSetSupportedNorm(ksp, KSP_NORM_NONE, PC_LEFT, 1));
  });
}

}  // namespace

void register_ksp_types() {
  check(KSPRegister(ksp_mean_field, create_op<MeanFieldKsp>));
  check(KSPRegister(ksp_neumann, create_op<NeumannKsp>));
}

SampleIteration* sample_iteration(KSP ksp) {
  return is_ours(ksp) ? &sample_ksp(ksp).shared : nullptr;
}

void require_suited(KSP ksp, const PanelOperator& panel) {
  PC pc = nullptr;
  check(KSPGetPC(ksp, &pc));
  const std::string preconditioner = type_of(pc);
  if (is_ours(ksp)) sample_ksp(ksp).require_suited(panel, type_option(ksp), preconditioner);
  if (preconditioner != pc_mean_field && preconditioner != pc_sample_lu && preconditioner != pc_perron)
    return;
  const auto form = panel.map().pointwise_form();
  if (!form) throw refusal_of(type_option(pc) + " needs a model of the form h(z) = a(Wz + u); use none");
  if (preconditioner == pc_sample_lu && form->weights.offsets().size() > 2)
    throw refusal_of(type_option(pc) + " needs -grid_feature_ranks 1");
  if (preconditioner == pc_perron && form->column_sum == 0.0)
    throw refusal_of(type_option(pc) + " needs -weights softmax; use meanfield or none");
}

void precondition_on_the_right(KSP ksp) {
  const char* prefix = nullptr;
  PetscBool chosen = PETSC_FALSE;
  PetscBool known = PETSC_FALSE;
  check(KSPGetOptionsPrefix(ksp, &prefix));
  check(PetscOptionsHasName(nullptr, prefix, "-ksp_pc_side", &chosen));
  check(PetscObjectTypeCompareAny(reinterpret_cast<PetscObject>(ksp), &known, KSPGMRES, KSPFGMRES, KSPBCGS,
                                  ""));
  if (chosen == PETSC_FALSE && known == PETSC_TRUE && type_of(ksp->pc) != PCNONE)
    check(KSPSetPCSide(ksp, PC_RIGHT));
}

}  // namespace solve
}  // namespace poise
