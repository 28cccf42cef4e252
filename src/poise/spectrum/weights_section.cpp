#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/linalg/dense_eigen.hpp"
#include "poise/spectrum/sections.hpp"
#include "poise/theory/nonnormality.hpp"

namespace poise::spectrum {
namespace {

/// The backward error of the eigenvalues, relative to ‖W‖_F.
constexpr double eigenvalue_tolerance = 1e-12;

Theory radius_theory(const Pointwise::Shape& shape, double norm) {
  if (shape.weights == WeightKind::softmax) return {"=", shape.gamma, "gamma (Perron, THEORY.md 7.4)"};
  if (shape.weights == WeightKind::spectral) return {"<=", shape.gamma, "gamma, the bound of |W|_2 (2.2)"};
  return {"<=", norm, "|W|_2"};
}

Theory norm_theory(const Pointwise::Shape& shape, Index m) {
  if (shape.weights == WeightKind::softmax)
    return {"<=", shape.gamma * std::sqrt(static_cast<double>(m)), "gamma sqrt(m), from |W|_1 = gamma"};
  if (shape.weights == WeightKind::spectral) return {"<=", shape.gamma, "gamma (2.2)"};
  return {};
}

constexpr double rounding = 2.2e-16;
/// An eigenvalue with a condition from here on cannot be told from a defective eigenvalue, whose error is the
/// square root of the error of the matrix.
constexpr double defective = 1e7;

/// How far an error of the matrix moves an eigenvalue of this condition.
std::string condition_text(double condition, double error, double norm) {
  if (condition < defective)
    return fmt::format("condition {:.4g}: within {:.4g}", condition, condition * error);
  return fmt::format("condition {:.4g}: defective, or nearly so; known to about {:.4g} at best", condition,
                     std::sqrt(error * norm));
}

}  // namespace

void Sections::weights() {
  const bool softmax = shape_.weights == WeightKind::softmax;
  table_.section("weights", fmt::format("Recurrent weights W{}", softmax ? " = gamma softmax(A)" : ""));
  frobenius_ = frobenius_norm(weights_);
  table_.add({.name = "frobenius_norm", .label = "|W|_F", .value = frobenius_});
  if (frobenius_ == 0.0) return table_.note("W is 0, and so is all of its spectrum");
  const SpectralValue norm =
      largest_singular_value(operator_of(weights_), {.prefix = "spec_norm_", .quantity = "norms of W"});
  eigenvalues();
  table_.add("norm", "|W|_2", norm, norm_theory(shape_, weights_.width()));
  const NumericalRange range = numerical_range(weights_, {.angles = settings_.angles});
  range_radius_ = range.radius_high;
  const bool monotone = shape_.weights == WeightKind::monotone;
  table_.add({.name = "numerical_abscissa",
              .label = "numerical abscissa",
              .value = range.abscissa,
              .residual = range.abscissa_residual,
              .theory = monotone ? Theory{"<=", 1.0 - shape_.gamma, "1 - margin (2.3)"}
                                 : Theory{"", 0.0, "largest eigenvalue of (W + W')/2"}});
  table_.add({.name = "numerical_radius",
              .label = "numerical radius r",
              .value = range.radius_low,
              .high = range.radius_high,
              .theory = {"", 0.0, "|W^k|_2 <= 2 r^k; rho = r for a normal W"},
              .products = range.products});
  departure_from_normality();
  iteration();
}

void Sections::eigenvalues() {
  const Index count = std::min(settings_.count, weights_.width());
  const Eigenvalues found = leading_eigenvalues(operator_of(weights_), count,
                                                {.prefix = "spec_w_",
                                                 .quantity = "leading eigenvalues of W",
                                                 .tolerance = eigenvalue_tolerance,
                                                 .scale = frobenius_});
  radius_ = found.values.front().modulus();
  table_.add({.name = "spectral_radius",
              .label = "spectral radius rho",
              .value = radius_,
              .residual = found.values.front().residual,
              .theory = radius_theory(shape_, frobenius_),
              .products = found.products});
  if (found.values.size() > 1)
    table_.add({.name = "second_modulus",
                .label = "|lambda_2|",
                .value = found.values[1].modulus(),
                .residual = found.values[1].residual,
                .theory = {"", 0.0, "governs Krylov speed (7.4)"}});
  const std::vector<double> conditions = conditions_of(found);
  for (std::size_t k = 0; k < found.values.size(); ++k) {
    Quantity quantity{.name = fmt::format("eigenvalue_{}", k + 1),
                      .label = fmt::format("lambda_{}", k + 1),
                      .value = found.values[k].real,
                      .imaginary = found.values[k].imaginary,
                      .residual = found.values[k].residual};
    if (!conditions.empty()) {
      quantity.condition = conditions[k];
      quantity.theory.note = condition_text(
          conditions[k], std::max(found.values[k].residual, rounding * frobenius_), frobenius_);
    }
    table_.add(quantity);
  }
  if (conditions.empty())
    table_.note(
        fmt::format("conditions of the eigenvalues: W is wider than -dense_limit {}; a residual alone says "
                    "little of a non-normal W",
                    settings_.dense_limit));
}

/// For each eigenvalue, the condition of the nearest eigenvalue of the dense matrix. Empty if W is too wide.
std::vector<double> Sections::conditions_of(const Eigenvalues& found) const {
  if (weights_.width() > settings_.dense_limit) return {};
  const std::vector<ConditionedEigenvalue> all = conditioned_eigenvalues(weights_);
  std::vector<double> conditions;
  for (const Eigenvalue& value : found.values) {
    const std::complex<double> z(value.real, value.imaginary);
    const auto nearest = std::min_element(all.begin(), all.end(), [&](const auto& a, const auto& b) {
      return std::abs(a.value - z) < std::abs(b.value - z);
    });
    conditions.push_back(nearest->condition);
  }
  return conditions;
}

// Henrici: ‖W‖_F² − Σ|λ|² is 0 for a normal W. Otherwise it is the squared norm of the nilpotent part of the
// Schur form of W.
void Sections::departure_from_normality() {
  if (weights_.width() > settings_.dense_limit)
    return table_.note(
        fmt::format("departure from normality: W is wider than -dense_limit {}", settings_.dense_limit));
  double sum = 0.0;
  for (const auto& value : all_eigenvalues(weights_)) sum += std::norm(value);
  const double square = std::max(0.0, frobenius_ * frobenius_ - sum);
  normal_share_ = std::min(1.0, sum / frobenius_ / frobenius_);
  table_.add({.name = "departure_from_normality",
              .label = "departure from normal",
              .value = std::sqrt(square) / frobenius_,
              .theory = {"", 0.0, "Henrici, relative to |W|_F: 0 normal, 1 nilpotent"}});
}

void Sections::iteration() {
  double largest = 0.0;
  int at = 1;
  for (const PowerNorm& power : power_norms(weights_, static_cast<int>(settings_.power))) {
    if (power.norm.value > largest) at = power.power;
    largest = std::max(largest, power.norm.value);
    if (power.power == 1 || 2 * power.power > settings_.power)
      table_.add(fmt::format("power_norm_{}", power.power), fmt::format("|W^{}|_2", power.power), power.norm,
                 {"", 0.0, fmt::format("rho^k = {:.4g}", std::pow(radius_, power.power))});
  }
  if (radius_ >= 1.0)
    return table_.note("rho >= 1: z <- W z + u does not converge, so no distance to instability exists");
  table_.add({.name = "largest_power_norm",
              .label = "largest |W^k|_2",
              .value = largest,
              .theory = {"", 0.0, fmt::format("k = {}; above 1, errors of z <- W z + u grow first", at)}});
  const IterationStability found = iteration_stability(weights_, range_radius_, settings_.points);
  table_.add({.name = "distance_to_instability",
              .label = "distance to instability",
              .value = found.distance_low,
              .high = found.distance_high,
              .theory = {"<=", 1.0 - radius_, "1 - rho; equal if W is normal"},
              .products = found.products});
  table_.add({.name = "kreiss_constant",
              .label = "Kreiss constant",
              .value = found.kreiss_low,
              .theory = {"", 0.0, "at least; also a lower bound of sup |W^k|_2"}});
  table_.note(
      fmt::format("how much eigenvalues mislead: r/rho = {:.4g}, (1 - rho)/distance = {:.4g} (1: not at all)",
                  range_radius_ / radius_, (1.0 - radius_) / found.distance_high));
}

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

// U⁻¹ = Σ W^k has no negative entry, so its column sums X, which solve UᵀX = 1, are sums of absolute values.
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
