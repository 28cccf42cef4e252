#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "poise/theory/sampled_slopes.hpp"
#include "poise_spectrum/sections.hpp"

namespace poise::spectrum {
namespace {

constexpr double eigenvalue_tolerance = 1e-10;

/// What is measured of one J = diag(a')W.
struct Measured {
  double radius = 0.0, radius_residual = 0.0, norm = 0.0, norm_residual = 0.0;
};

Measured measure(const RowBlockMatrix& weights, const std::vector<double>& slopes) {
  const double scale = frobenius_norm(weights, slopes.data());
  if (scale == 0.0) return {};  // every unit of a relu is off
  const LinearOperator jacobian = operator_of(weights, slopes.data());
  const Eigenvalues top = leading_eigenvalues(jacobian, 1,
                                              {.prefix = "spec_jacobian_",
                                               .quantity = "leading eigenvalues of Jacobians",
                                               .tolerance = eigenvalue_tolerance,
                                               .scale = scale});
  const SpectralValue norm =
      largest_singular_value(jacobian, {.prefix = "spec_jacobian_norm_", .quantity = "norms of Jacobians"});
  return {top.values.front().modulus(), top.values.front().residual, norm.value, norm.residual};
}

Theory radius_theory(const Pointwise::Shape& shape) {
  if (shape.weights == WeightKind::softmax) return {"<=", shape.gamma, "gamma, the bound of |dh/dz|_1 (7.5)"};
  if (shape.weights == WeightKind::spectral)
    return {"<=", shape.gamma, "gamma, the bound of |dh/dz|_2 (2.2)"};
  return {"", 0.0, "no bound; below 1, plain iteration converges near z*"};
}

}  // namespace

void Sections::jacobians() {
  table_.section("jacobian", "Jacobian dh/dz = diag(a') W at the equilibria");
  if (!map_) return table_.note("is W at every equilibrium: the model is linear");
  const SampledSlopes found =
      sample_slopes(experiment_.layout(), *map_, experiment_.problem().train, settings_.samples);
  Measured largest;
  Index worst = found.samples.front();
  Index worst_norm = worst;
  for (std::size_t k = 0; k < found.samples.size(); ++k) {
    const Measured one = measure(weights_, found.slopes[k]);
    if (one.radius > largest.radius) {
      worst = found.samples[k];
      largest.radius = one.radius;
      largest.radius_residual = one.radius_residual;
    }
    if (one.norm > largest.norm) {
      worst_norm = found.samples[k];
      largest.norm = one.norm;
      largest.norm_residual = one.norm_residual;
    }
  }
  const Theory theory = radius_theory(shape_);
  const Theory norm_theory = shape_.weights == WeightKind::spectral ? theory : Theory{};
  const auto add = [&](const std::string& name, const std::string& label, double value, double residual,
                       const Theory& says) {
    table_.add({.name = name, .label = label, .value = value, .residual = residual, .theory = says});
  };
  table_.note(fmt::format(
      "equilibria of {} of {} training samples; largest rho at sample {}, largest norm at sample {}",
      found.samples.size(), experiment_.problem().train.total, worst, worst_norm));
  add("spectral_radius", "largest rho", largest.radius, largest.radius_residual, theory);
  add("norm", "largest |dh/dz|_2", largest.norm, largest.norm_residual, norm_theory);
  const Measured mean = measure(weights_, found.mean);
  add("mean_spectral_radius", "rho, mean slopes", mean.radius, mean.radius_residual, theory);
  add("mean_norm", "norm, mean slopes", mean.norm, mean.norm_residual, norm_theory);
}

}  // namespace poise::spectrum
