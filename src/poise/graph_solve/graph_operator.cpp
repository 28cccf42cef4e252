#include "poise/graph_solve/graph_operator.hpp"

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"

namespace poise {
inline namespace graph_solve {
namespace {
constexpr const char* container_name = "poise_graph_operator";
}  // namespace

GraphOperator::GraphOperator(const GraphEquation& equation, std::shared_ptr<PerronVector> perron,
                             bool transposed)
    : equation_(equation), perron_(std::move(perron)), transposed_(transposed) {
  mat_ = std::make_unique<ShellOperator>(
      equation.grid().world(), equation.local_size(),
      [this](const double* v, double* out) { apply(false, v, out); },
      [this](const double* v, double* out) { apply(true, v, out); });
  PetscContainer container = nullptr;
  check(PetscContainerCreate(equation.grid().world(), &container));
  check(PetscContainerSetPointer(container, this));
  check(PetscObjectCompose(reinterpret_cast<PetscObject>(mat()), container_name,
                           reinterpret_cast<PetscObject>(container)));
  check(PetscContainerDestroy(&container));
}

void GraphOperator::linearise(const double* slopes) {
  slopes_ = equation_.map().slope_rows() == 0 ? nullptr : slopes;
  check(MatAssemblyBegin(mat(), MAT_FINAL_ASSEMBLY));
  check(MatAssemblyEnd(mat(), MAT_FINAL_ASSEMBLY));
}

void GraphOperator::apply(bool transposed, const double* v, double* out) {
  ++products_;
  if (transposed != transposed_)
    equation_.jacobian_transpose(slopes_, v, out);
  else
    equation_.jacobian(slopes_, v, out);
  for (Index i = 0; i < equation_.local_size(); ++i) out[i] = v[i] - out[i];
}

GraphOperator& GraphOperator::of(Mat mat, const std::string& what) {
  PetscObject object = nullptr;
  if (mat != nullptr) check(PetscObjectQuery(reinterpret_cast<PetscObject>(mat), container_name, &object));
  if (object == nullptr)
    throw Error(ExitCode::bad_input,
                what + " is for the equilibria and adjoints of graphs only; choose one of PETSc's types here",
                true);
  void* data = nullptr;
  check(PetscContainerGetPointer(reinterpret_cast<PetscContainer>(object), &data));
  return *static_cast<GraphOperator*>(data);
}

}  // namespace graph_solve
}  // namespace poise
