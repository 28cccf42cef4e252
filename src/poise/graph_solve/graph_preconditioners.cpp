// The PC types for the linearised equilibrium of a graph.
#include <petsc/private/pcimpl.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/graph_solve/graph_operator.hpp"
#include "poise/graph_solve/scalar_system.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/solve/solver_types.hpp"

namespace poise {
inline namespace graph_solve {
namespace {

/// A PC type; the object that pc->data points to.
class GraphPc {
 public:
  virtual ~GraphPc() = default;
  /// Collective. Makes the solvers inside it, so that they take their options. Throws bad_input if it does
  /// not suit the operator.
  virtual void create_solvers(PC pc, const GraphOperator& op) = 0;
  /// Collective. Makes it valid for the operator at its present slopes.
  virtual void set_up(PC pc, GraphOperator& op) = 0;
  virtual void apply(GraphOperator& op, const double* r, double* x) = 0;
  virtual void view(PetscViewer viewer) const = 0;
};

/// THEORY.md 8.7: corrects the states along the Perron vector p by one scalar system over the nodes, then
/// takes one residual step. With R = 1ᵀ and P = p, or R = pᵀ and P = 1 for the transposed operator:
///   x = P (R Op P)^-1 R r,  x ← x + (r − Op x).
class PerronTwoLevel final : public GraphPc {
 public:
  void create_solvers(PC pc, const GraphOperator& op) override {
    if (op.perron() == nullptr)
      throw Error(ExitCode::bad_input,
                  type_option(pc) + " needs softmax weights; try -" + prefix_of(pc) + "pc_type none", true);
    if (scalar_) return;
    const GraphEquation& equation = op.equation();
    scalar_ = std::make_unique<ScalarSystem>(equation.grid(), equation.matrix(), prefix_of(pc) + "scalar_",
                                             op.transposed());
  }

  void set_up(PC pc, GraphOperator& op) override {
    create_solvers(pc, op);
    const GraphEquation& equation = op.equation();
    op.perron()->update();
    const auto nodes = static_cast<std::size_t>(equation.local_nodes());
    restricted_.resize(nodes);
    coarse_.resize(nodes);
    image_.resize(static_cast<std::size_t>(equation.local_size()));
    const double gamma = equation.map().pointwise_form()->column_sum;
    if (op.slopes() == nullptr) {
      scalar_->update(gamma, nullptr);
      return;
    }
    sum_columns(equation, op.perron()->entries(), op.slopes());  // d_n = Σ_i a'_in p_i
    scalar_->update(gamma, restricted_.data());
  }

  void apply(GraphOperator& op, const double* r, double* x) override {
    const GraphEquation& equation = op.equation();
    const double* p = op.perron()->entries();
    const Index m = equation.states();
    sum_columns(equation, op.transposed() ? p : nullptr, r);
    scalar_->solve(restricted_.data(), coarse_.data());
    for (Index n = 0; n < equation.local_nodes(); ++n)
      for (Index i = 0; i < m; ++i) x[n * m + i] = coarse_[n] * (op.transposed() ? 1.0 : p[i]);
    op.apply(false, x, image_.data());
    for (Index i = 0; i < equation.local_size(); ++i) x[i] += r[i] - image_[i];
  }

  void view(PetscViewer viewer) const override {
    view_line(viewer, "two levels: the scalar system along the Perron vector of W, then one residual step");
    if (scalar_) check(KSPView(scalar_->ksp(), viewer));
  }

 private:
  static std::string prefix_of(PC pc) {
    const char* prefix = nullptr;
    check(PCGetOptionsPrefix(pc, &prefix));
    return prefix != nullptr ? prefix : "";
  }

  /// restricted_[n] = Σ_i weights_i block_in over all states; null: weights 1.
  void sum_columns(const GraphEquation& equation, const double* weights, const double* block) {
    const Index m = equation.states();
    for (Index n = 0; n < equation.local_nodes(); ++n) {
      double sum = 0.0;
      for (Index i = 0; i < m; ++i) sum += (weights == nullptr ? 1.0 : weights[i]) * block[n * m + i];
      restricted_[n] = sum;
    }
    if (equation.grid().feature_ranks() > 1)
      check_mpi(MPI_Allreduce(MPI_IN_PLACE, restricted_.data(), mpi_count(equation.local_nodes()), MPI_DOUBLE,
                              MPI_SUM, equation.grid().feature()));
  }

  std::unique_ptr<ScalarSystem> scalar_;
  std::vector<double> restricted_, coarse_, image_;
};

GraphPc& type_of_pc(PC pc) {
  return *static_cast<GraphPc*>(pc->data);
}

PetscErrorCode set_from_options_op(PC pc, OptionItems /*items*/) {
  return guarded([&] { type_of_pc(pc).create_solvers(pc, GraphOperator::of(pc->pmat, type_option(pc))); });
}
PetscErrorCode setup_op(PC pc) {
  return guarded([&] { type_of_pc(pc).set_up(pc, GraphOperator::of(pc->pmat, type_option(pc))); });
}
PetscErrorCode apply_op(PC pc, Vec x, Vec y) {
  return guarded([&] {
    const ReadArray in(x);
    WriteArray out(y);
    type_of_pc(pc).apply(GraphOperator::of(pc->pmat, type_option(pc)), in.data(), out.data());
  });
}
PetscErrorCode destroy_op(PC pc) {
  delete static_cast<GraphPc*>(pc->data);
  pc->data = nullptr;
  return static_cast<PetscErrorCode>(0);
}
PetscErrorCode view_op(PC pc, PetscViewer viewer) {
  return guarded([&] { type_of_pc(pc).view(viewer); });
}

template <class Type>
PetscErrorCode create_op(PC pc) {
  return guarded([&] {
    pc->data = std::make_unique<Type>().release();
    pc->ops->setfromoptions = set_from_options_op;
    pc->ops->setup = setup_op;
    pc->ops->apply = apply_op;
    pc->ops->destroy = destroy_op;
    pc->ops->view = view_op;
  });
}

}  // namespace

void register_graph_types() {
  static bool done = false;
  if (done) return;
  check(PCRegister(pc_graph_perron, create_op<PerronTwoLevel>));
  done = true;
}

}  // namespace graph_solve
}  // namespace poise
