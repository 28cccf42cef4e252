#include <algorithm>
#include <cmath>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/theory/nonnormality.hpp"
#include "poise_spectrum/sections.hpp"

namespace poise::spectrum {

void Sections::shifted_weights() {
  table_.section("shifted_weights", "U = I - W");
  const LinearOperator u = shifted(weights_, 1.0);
  const SpectralSolver solver{.prefix = "spec_u_", .quantity = "singular values of U"};
  const bool softmax = shape_.weights == WeightKind::softmax;
  const SpectralValue largest = largest_singular_value(u, solver);
  largest_of_u_ = largest.value;
  const double m = static_cast<double>(weights_.width());
  table_.add(
      "largest_singular_value", "sigma_max", largest,
      softmax ? Theory{"<=", std::sqrt(m) * (1.0 + shape_.gamma), "sqrt(m) (1 + gamma) (4.4)"} : Theory{});
  const SpectralValue smallest = smallest_singular_value(u, solver);
  Theory theory;
  if (softmax) theory = {">=", (1.0 - shape_.gamma) / std::sqrt(m), "(1 - gamma)/sqrt(m), from 7.1"};
  if (shape_.weights == WeightKind::spectral) theory = {">=", 1.0 - shape_.gamma, "1 - gamma, from |W|_2"};
  if (shape_.weights == WeightKind::monotone) theory = {">=", shape_.gamma, "the margin (2.3)"};
  table_.add("smallest_singular_value", "sigma_min", smallest, theory);
  table_.add({.name = "condition", .label = "condition", .value = largest.value / smallest.value});
  table_.add({.name = "norm_1",
              .label = "|U|_1",
              .value = norm_one(),
              .theory = softmax ? Theory{"<=", 1.0 + shape_.gamma, "1 + gamma (7.1)"} : Theory{}});
  if (collapsed_) inverse_norm();
}

/// Largest column sum of |U|.
double Sections::norm_one() const {
  const Index m = weights_.width();
  std::vector<double> sums(static_cast<std::size_t>(m), 0.0);
  for (Index i = 0; i < weights_.local_rows(); ++i)
    for (Index j = 0; j < m; ++j)
      sums[j] += std::abs((weights_.row_begin() + i == j ? 1.0 : 0.0) - weights_.rows()[i * m + j]);
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, sums.data(), mpi_count(m), MPI_DOUBLE, MPI_SUM, weights_.comm()));
  return *std::max_element(sums.begin(), sums.end());
}

// U⁻¹ = Σ W^k has no negative entry, so its column sums, UᵀX = 1, are those of its absolute values.
void Sections::inverse_norm() {
  (void)collapsed_->set_parameters(experiment_.theta());
  std::vector<double> ones(static_cast<std::size_t>(weights_.local_rows() * experiment_.layout().outputs()),
                           1.0);
  std::vector<double> sums(ones.size());
  const Outcome outcome = collapsed_->solve_transpose(ones.data(), sums.data());
  double largest = 0.0;
  for (const double sum : sums) largest = std::max(largest, sum);
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, weights_.comm()));
  table_.add({.name = "inverse_norm_1",
              .label = "|U^-1|_1",
              .value = largest,
              .residual = outcome.residual,
              .theory = {"=", 1.0 / (1.0 - shape_.gamma), "1/(1 - gamma) (7.1)"}});
}

}  // namespace poise::spectrum
