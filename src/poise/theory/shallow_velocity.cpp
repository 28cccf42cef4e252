#include "poise/theory/shallow_velocity.hpp"

#include <vector>

#include "poise/petsc/vec.hpp"
#include "poise/theory/row_slices.hpp"

namespace poise {

void shallow_velocity(CollapsedModel& model, const ParameterLayout& layout, Vec gradient, double* out) {
  const Index m = layout.width();
  const Index q = layout.outputs();
  const Index rows = layout.slice().size();
  const Index stride = layout.row_length();
  const RowBlockMatrix& s = model.softmax();
  const ReadArray values(gradient);

  std::vector<double> means(static_cast<std::size_t>(m));  // Σ_i S_ik (∂L/∂A)_ik
  for (Index i = 0; i < rows; ++i)
    for (Index k = 0; k < m; ++k)
      means[static_cast<std::size_t>(k)] += s.rows()[i * m + k] * values[i * stride + k];
  sum_over_ranks(s.comm(), means);

  std::vector<double> moved(static_cast<std::size_t>(m * q));  // column k, output c of W dS/dt at c m + k
  for (Index i = 0; i < rows; ++i)
    for (Index k = 0; k < m; ++k) {
      const double ds = -s.rows()[i * m + k] * (values[i * stride + k] - means[static_cast<std::size_t>(k)]);
      for (Index c = 0; c < q; ++c) moved[c * m + k] += model.w()[c * rows + i] * ds;
    }
  sum_over_ranks(s.comm(), moved);

  std::vector<double> rhs(static_cast<std::size_t>(rows * q));
  for (Index c = 0; c < q; ++c)
    for (Index k = 0; k < rows; ++k)
      rhs[c * rows + k] =
          -values[k * stride + m + c] + model.gamma() * moved[c * m + layout.slice().begin + k];
  (void)model.solve_transpose(rhs.data(), out);
}

}  // namespace poise
