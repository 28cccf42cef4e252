#include "poise/solve/solver_types.hpp"

#include <petsc/private/kspimpl.h>
#include <petsc/private/pcimpl.h>
#include <petsc/private/snesimpl.h>
#include <petscblaslapack.h>

#include <vector>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
namespace {

constexpr const char* container_name = "poise_panel_preconditioner";

PanelPreconditioner& panel_of(PC pc) {
  PetscObject object = nullptr;
  check(PetscObjectQuery(reinterpret_cast<PetscObject>(pc->pmat), container_name, &object));
  if (object == nullptr)
    throw bad_input("the preconditioners meanfield and samplelu are for -eq_pc_type and -adj_pc_type alone");
  void* data = nullptr;
  check(PetscContainerGetPointer(reinterpret_cast<PetscContainer>(object), &data));
  auto& panel = *static_cast<PanelPreconditioner*>(data);
  if (panel.weights == nullptr)
    throw bad_input("the preconditioners meanfield and samplelu need a model of the form h(z) = a(Wz + u)");
  return panel;
}

PetscErrorCode apply_mean_field(PC pc, Vec x, Vec y, bool transposed) {
  return guarded([&] {
    const PanelPreconditioner& panel = panel_of(pc);
    const ReadArray in(x);
    WriteArray out(y);
    if (panel.transposed != transposed)
      panel.mean->solve_transpose(panel.columns, in.data(), out.data());
    else
      panel.mean->solve(panel.columns, in.data(), out.data());
  });
}

/// Solves with I − SW of one sample, or its transpose, by LU.
void solve_sample(const RowBlockMatrix& weights, const double* slopes, bool transposed,
                  std::vector<double>& factors, std::vector<PetscBLASInt>& pivots, double* x) {
  const Index m = weights.width();
  factors.resize(static_cast<std::size_t>(m * m));
  pivots.resize(static_cast<std::size_t>(m));
  // Column i of the array is row i of I − SW, so plain LAPACK solves with the transpose.
  for (Index i = 0; i < m; ++i) {
    const double slope = slopes == nullptr ? 1.0 : slopes[i];
    for (Index j = 0; j < m; ++j)
      factors[i * m + j] = (i == j ? 1.0 : 0.0) - slope * weights.rows()[i * m + j];
  }
  const auto size = static_cast<PetscBLASInt>(m);
  const PetscBLASInt one = 1;
  PetscBLASInt info = 0;
  LAPACKgetrf_(&size, &size, factors.data(), &size, pivots.data(), &info);
  if (info == 0)
    LAPACKgetrs_(transposed ? "N" : "T", &size, &one, factors.data(), &size, pivots.data(), x, &size, &info);
  if (info != 0) throw failure("the linearised equation of a sample is singular or not a number");
}

PetscErrorCode apply_sample_lu(PC pc, Vec x, Vec y, bool transposed) {
  return guarded([&] {
    const PanelPreconditioner& panel = panel_of(pc);
    const RowBlockMatrix& weights = *panel.weights;
    if (weights.local_rows() != weights.width())
      throw bad_input("the preconditioner samplelu needs -grid_feature_ranks 1");
    const ReadArray in(x);
    WriteArray out(y);
    std::copy(in.span().begin(), in.span().end(), out.data());
    std::vector<double> factors;
    std::vector<PetscBLASInt> pivots;
    const double* slopes = panel.slopes();
    for (Index c = 0; c < panel.columns; ++c)
      solve_sample(weights, slopes == nullptr ? nullptr : slopes + c * weights.width(),
                   panel.transposed != transposed, factors, pivots, out.data() + c * weights.width());
  });
}

PetscErrorCode create_pc_mean_field(PC pc) {
  pc->ops->apply = [](PC self, Vec x, Vec y) -> PetscErrorCode {
    return apply_mean_field(self, x, y, false);
  };
  pc->ops->applytranspose = [](PC self, Vec x, Vec y) -> PetscErrorCode {
    return apply_mean_field(self, x, y, true);
  };
  return static_cast<PetscErrorCode>(0);
}

PetscErrorCode create_pc_sample_lu(PC pc) {
  pc->ops->apply = [](PC self, Vec x, Vec y) -> PetscErrorCode { return apply_sample_lu(self, x, y, false); };
  pc->ops->applytranspose = [](PC self, Vec x, Vec y) -> PetscErrorCode {
    return apply_sample_lu(self, x, y, true);
  };
  return static_cast<PetscErrorCode>(0);
}

PetscErrorCode refuse(MPI_Comm comm) {
  PetscFunctionBegin;
  SETERRQ(comm, PETSC_ERR_SUP,
          "This solver type is for the equilibria (eq_) and adjoints (adj_) of Poise alone");
}

PetscErrorCode create_snes(SNES snes) {
  snes->ops->solve = [](SNES self) -> PetscErrorCode {
    return refuse(PetscObjectComm(reinterpret_cast<PetscObject>(self)));
  };
  snes->usesksp = PETSC_FALSE;
  snes->usesnpc = PETSC_FALSE;
  return static_cast<PetscErrorCode>(0);
}

PetscErrorCode create_ksp(KSP ksp) {
  ksp->ops->solve = [](KSP self) -> PetscErrorCode {
    return refuse(PetscObjectComm(reinterpret_cast<PetscObject>(self)));
  };
  ksp->ops->setup = [](KSP) -> PetscErrorCode { return static_cast<PetscErrorCode>(0); };
  ksp->ops->destroy = KSPDestroyDefault;
  ksp->ops->buildsolution = KSPBuildSolutionDefault;
  ksp->ops->buildresidual = KSPBuildResidualDefault;
  return KSPSetSupportedNorm(ksp, KSP_NORM_UNPRECONDITIONED, PC_LEFT, 2);
}

}  // namespace

bool is_column_iteration(const std::string& type) {
  for (const char* name :
       {snes_mean_field, snes_picard, snes_forward_backward, snes_peaceman_rachford, ksp_neumann})
    if (type == name) return true;
  return false;
}

void register_solver_types() {
  static bool done = false;
  if (done) return;
  for (const char* name : {snes_mean_field, snes_picard, snes_forward_backward, snes_peaceman_rachford})
    check(SNESRegister(name, create_snes));
  for (const char* name : {ksp_mean_field, ksp_neumann}) check(KSPRegister(name, create_ksp));
  check(PCRegister(pc_mean_field, create_pc_mean_field));
  check(PCRegister(pc_sample_lu, create_pc_sample_lu));
  done = true;
}

void precondition_on_the_right(KSP ksp) {
  const char* prefix = nullptr;
  PetscBool chosen = PETSC_FALSE;
  PetscBool known = PETSC_FALSE;
  PetscBool none = PETSC_FALSE;
  PC pc = nullptr;
  check(KSPGetOptionsPrefix(ksp, &prefix));
  check(PetscOptionsHasName(nullptr, prefix, "-ksp_pc_side", &chosen));
  check(PetscObjectTypeCompareAny(reinterpret_cast<PetscObject>(ksp), &known, KSPGMRES, KSPFGMRES, KSPBCGS,
                                  ""));
  check(KSPGetPC(ksp, &pc));
  check(PetscObjectTypeCompare(reinterpret_cast<PetscObject>(pc), PCNONE, &none));
  if (chosen == PETSC_FALSE && known == PETSC_TRUE && none == PETSC_FALSE) check(KSPSetPCSide(ksp, PC_RIGHT));
}

void require_suited(const std::string& preconditioner, const std::string& option,
                    const RowBlockMatrix* weights) {
  if (preconditioner != pc_mean_field && preconditioner != pc_sample_lu) return;
  if (weights == nullptr)
    throw Error(ExitCode::bad_input,
                option + " " + preconditioner + " needs a model of the form h(z) = a(Wz + u); use none",
                true);
  if (preconditioner == pc_sample_lu && weights->offsets().size() > 2)
    throw Error(ExitCode::bad_input, option + " samplelu needs -grid_feature_ranks 1", true);
}

void attach_preconditioner(Mat mat, PanelPreconditioner& data) {
  PetscContainer container = nullptr;
  MPI_Comm comm = MPI_COMM_NULL;
  check(PetscObjectGetComm(reinterpret_cast<PetscObject>(mat), &comm));
  check(PetscContainerCreate(comm, &container));
  check(PetscContainerSetPointer(container, &data));
  check(PetscObjectCompose(reinterpret_cast<PetscObject>(mat), container_name,
                           reinterpret_cast<PetscObject>(container)));
  check(PetscContainerDestroy(&container));
}

}  // namespace poise
