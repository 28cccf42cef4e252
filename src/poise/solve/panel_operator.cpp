#include "poise/solve/panel_operator.hpp"

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"

namespace poise {
inline namespace solve {
namespace {
constexpr const char* container_name = "poise_panel_operator";
}  // namespace

PanelOperator::PanelOperator(MPI_Comm comm, const EquilibriumMap& map, std::shared_ptr<MeanField> mean,
                             Index columns, bool transposed)
    : comm_(comm),
      map_(map),
      mean_(std::move(mean)),
      columns_(columns),
      transposed_(transposed),
      mean_slopes_(mean_ ? static_cast<std::size_t>(map.local_states()) : 0) {}

void PanelOperator::multiply(bool transposed, const double* v, double* out) {
  ++products_;
  if (transposed)
    map_.jacobian_transpose(p_, slopes_, v, out);
  else
    map_.jacobian(p_, slopes_, v, out);
  const Index size = map_.local_states() * p_;
  for (Index i = 0; i < size; ++i) out[i] = v[i] - out[i];
}

void PanelOperator::show_residual(bool transposed, const double* rhs, const double* x, double* residual) {
  multiply(transposed, x, residual);
  --products_;
  for (Index i = 0; i < map_.local_states() * p_; ++i) residual[i] -= rhs[i];
}

MeanField& PanelOperator::mean_field() {
  if (mean_->valid()) return *mean_;
  const Index rows = map_.local_states();
  std::fill(mean_slopes_.begin(), mean_slopes_.end(), map_.linear() ? 1.0 : 0.0);
  if (!map_.linear())
    for (Index c = 0; c < p_; ++c)
      for (Index i = 0; i < rows; ++i) mean_slopes_[i] += slopes_[c * rows + i] / static_cast<double>(p_);
  mean_->update_or_plain(mean_slopes_.data());
  return *mean_;
}

void PanelOperator::attach_to(Mat mat) {
  PetscContainer container = nullptr;
  MPI_Comm comm = MPI_COMM_NULL;
  check(PetscObjectGetComm(reinterpret_cast<PetscObject>(mat), &comm));
  check(PetscContainerCreate(comm, &container));
  check(PetscContainerSetPointer(container, this));
  check(PetscObjectCompose(reinterpret_cast<PetscObject>(mat), container_name,
                           reinterpret_cast<PetscObject>(container)));
  check(PetscContainerDestroy(&container));
}

PanelOperator& PanelOperator::of(Mat mat, const std::string& what) {
  PetscObject object = nullptr;
  if (mat != nullptr) check(PetscObjectQuery(reinterpret_cast<PetscObject>(mat), container_name, &object));
  if (object == nullptr)
    throw Error(ExitCode::bad_input,
                what +
                    " is for the equilibria and adjoints of Poise (-eq_..., -adj_...) only; choose one of "
                    "PETSc's types here",
                true);
  void* data = nullptr;
  check(PetscContainerGetPointer(reinterpret_cast<PetscContainer>(object), &data));
  return *static_cast<PanelOperator*>(data);
}

}  // namespace solve
}  // namespace poise
