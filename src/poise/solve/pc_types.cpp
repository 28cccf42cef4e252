// The PC types of Poise, for a PanelOperator: the mean field, LU of every sample, and the Perron correction.
#include <petsc/private/pcimpl.h>
#include <petscblaslapack.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "poise/petsc/solver_options.hpp"
#include "poise/solve/panel_operator.hpp"
#include "poise/solve/solver_types.hpp"

namespace poise {
inline namespace solve {
namespace {

/// A PC type; the object that pc->data points to.
class PanelPc {
 public:
  virtual ~PanelPc() = default;
  [[nodiscard]] virtual std::string description() const = 0;
  virtual void apply(PanelOperator& op, bool transposed, const double* x, double* y) = 0;
};

class MeanFieldPc final : public PanelPc {
 public:
  [[nodiscard]] std::string description() const override {
    return "the inverse of I - DW, D the mean slopes of the samples";
  }
  void apply(PanelOperator& op, bool transposed, const double* x, double* y) override {
    op.count_products(1);
    if (transposed)
      op.mean_field().solve_transpose(op.p(), x, y);
    else
      op.mean_field().solve(op.p(), x, y);
  }
};

class PerronPc final : public PanelPc {
 public:
  [[nodiscard]] std::string description() const override {
    return "the correction of the slow mode, the Perron vector of W";
  }
  void apply(PanelOperator& op, bool transposed, const double* x, double* y) override {
    op.mean()->perron().correct(op.p(), op.slopes(), transposed, x, y);
  }
};

class SampleLuPc final : public PanelPc {
 public:
  [[nodiscard]] std::string description() const override { return "LU of every sample's equation: direct"; }
  void apply(PanelOperator& op, bool transposed, const double* x, double* y) override {
    const RowBlockMatrix& weights = op.map().pointwise_form()->weights;
    const Index m = weights.width();
    std::copy_n(x, m * op.p(), y);
    for (Index c = 0; c < op.p(); ++c)
      solve_sample(weights, op.slopes() == nullptr ? nullptr : op.slopes() + c * m, transposed, y + c * m);
  }

 private:
  /// Solves with I − SW of one sample, or its transpose.
  void solve_sample(const RowBlockMatrix& weights, const double* slopes, bool transposed, double* x) {
    const Index m = weights.width();
    factors_.resize(static_cast<std::size_t>(m * m));
    pivots_.resize(static_cast<std::size_t>(m));
    // Column i of the array is row i of I − SW, so that LAPACK without "T" solves with the transpose.
    for (Index i = 0; i < m; ++i) {
      const double slope = slopes == nullptr ? 1.0 : slopes[i];
      for (Index j = 0; j < m; ++j)
        factors_[i * m + j] = (i == j ? 1.0 : 0.0) - slope * weights.rows()[i * m + j];
    }
    const auto size = static_cast<PetscBLASInt>(m);
    const PetscBLASInt one = 1;
    PetscBLASInt info = 0;
    LAPACKgetrf_(&size, &size, factors_.data(), &size, pivots_.data(), &info);
    if (info == 0)
      LAPACKgetrs_(transposed ? "N" : "T", &size, &one, factors_.data(), &size, pivots_.data(), x, &size,
                   &info);
    if (info != 0) throw failure("the linearised equation of a sample is singular or not a number");
  }

  std::vector<double> factors_;
  std::vector<PetscBLASInt> pivots_;
};

PanelOperator& operator_of(PC pc) {
  return PanelOperator::of(pc->pmat, type_option(pc));
}

PetscErrorCode apply(PC pc, Vec x, Vec y, bool transposed) {
  return guarded([&] {
    PanelOperator& op = operator_of(pc);
    const ReadArray in(x);
    WriteArray out(y);
    static_cast<PanelPc*>(pc->data)->apply(op, op.transposed() != transposed, in.data(), out.data());
    // Columns beyond the p columns of the panel have the equation x = r.
    const auto used = static_cast<std::ptrdiff_t>(op.p() * op.map().local_states());
    std::copy(in.span().begin() + used, in.span().end(), out.data() + used);
  });
}

PetscErrorCode apply_op(PC pc, Vec x, Vec y) {
  return apply(pc, x, y, false);
}
PetscErrorCode apply_transpose_op(PC pc, Vec x, Vec y) {
  return apply(pc, x, y, true);
}
PetscErrorCode setup_op(PC pc) {
  return guarded([&] { (void)operator_of(pc); });
}
PetscErrorCode destroy_op(PC pc) {
  delete static_cast<PanelPc*>(pc->data);
  pc->data = nullptr;
  return static_cast<PetscErrorCode>(0);
}
PetscErrorCode view_op(PC pc, PetscViewer viewer) {
  return guarded([&] { view_line(viewer, static_cast<PanelPc*>(pc->data)->description()); });
}

template <class Type>
PetscErrorCode create_op(PC pc) {
  return guarded([&] {
    pc->data = std::make_unique<Type>().release();
    pc->ops->setup = setup_op;
    pc->ops->apply = apply_op;
    pc->ops->applytranspose = apply_transpose_op;
    pc->ops->destroy = destroy_op;
    pc->ops->view = view_op;
  });
}

}  // namespace

void register_pc_types() {
  check(PCRegister(pc_mean_field, create_op<MeanFieldPc>));
  check(PCRegister(pc_sample_lu, create_op<SampleLuPc>));
  check(PCRegister(pc_perron, create_op<PerronPc>));
}

}  // namespace solve
}  // namespace poise
