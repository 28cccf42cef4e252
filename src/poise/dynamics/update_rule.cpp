#include "poise/dynamics/update_rule.hpp"

#include <cmath>

namespace poise {

using Method = DescentSettings::Method;

UpdateRule::UpdateRule(const DescentSettings& settings, Vec theta_like) : settings_(settings) {
  if (settings.method != Method::gradient) first_ = duplicate(theta_like);
  if (settings.method == Method::adam) second_ = duplicate(theta_like);
  reset();
}

void UpdateRule::reset() {
  for (const auto& [name, vec] : vectors()) check(VecSet(vec, 0.0));
}

std::vector<std::pair<std::string, Vec>> UpdateRule::vectors() const {
  switch (settings_.method) {
    case Method::gradient:
      return {};
    case Method::momentum:
    case Method::nesterov:
      return {{"momentum", first_.get()}};
    case Method::adam:
      return {{"adam_first", first_.get()}, {"adam_second", second_.get()}};
  }
  return {};
}

void UpdateRule::apply(Vec theta, Vec gradient, double gradient_factor, double step_size, Index step) {
  switch (settings_.method) {
    case Method::gradient:
      return plain(theta, gradient, gradient_factor, step_size);
    case Method::momentum:
    case Method::nesterov:
      return with_momentum(theta, gradient, gradient_factor, step_size);
    case Method::adam:
      return adam(theta, gradient, gradient_factor, step_size, step);
  }
}

void UpdateRule::plain(Vec theta, Vec gradient, double gradient_factor, double step_size) const {
  check(VecAXPBY(theta, -step_size * gradient_factor, 1.0 - step_size * settings_.weight_decay, gradient));
}

void UpdateRule::with_momentum(Vec theta, Vec gradient, double gradient_factor, double step_size) {
  const double mu = settings_.momentum;
  const double keep = 1.0 - step_size * settings_.weight_decay;
  // Nesterov's direction g + μv is (1, μ); the heavy ball's v is (0, 1).
  const bool nesterov = settings_.method == Method::nesterov;
  const double of_gradient = nesterov ? gradient_factor : 0.0;
  const double of_velocity = nesterov ? mu : 1.0;
  const ReadArray gradient_entries(gradient);
  WriteArray theta_entries(theta), velocity_entries(first_.get());
  const double* const g = gradient_entries.data();
  double* const x = theta_entries.data();
  double* const v = velocity_entries.data();
  const std::size_t size = gradient_entries.span().size();
  for (std::size_t i = 0; i < size; ++i) {
    v[i] = mu * v[i] + gradient_factor * g[i];
    x[i] = keep * x[i] - step_size * (of_gradient * g[i] + of_velocity * v[i]);
  }
}

void UpdateRule::adam(Vec theta, Vec gradient, double gradient_factor, double step_size, Index step) {
  const double beta1 = settings_.beta1;
  const double beta2 = settings_.beta2;
  const double epsilon = settings_.epsilon;
  const double keep = 1.0 - step_size * settings_.weight_decay;
  const auto count = static_cast<double>(step + 1);
  const double correction1 = 1.0 / (1.0 - std::pow(beta1, count));
  const double correction2 = 1.0 / (1.0 - std::pow(beta2, count));
  const ReadArray gradient_entries(gradient);
  WriteArray theta_entries(theta), first_entries(first_.get()), second_entries(second_.get());
  const double* const g = gradient_entries.data();
  double* const x = theta_entries.data();
  double* const m = first_entries.data();
  double* const v = second_entries.data();
  const std::size_t size = gradient_entries.span().size();
  for (std::size_t i = 0; i < size; ++i) {
    const double gi = gradient_factor * g[i];
    m[i] = beta1 * m[i] + (1.0 - beta1) * gi;
    v[i] = beta2 * v[i] + (1.0 - beta2) * gi * gi;
    x[i] = keep * x[i] - step_size * correction1 * m[i] / (std::sqrt(correction2 * v[i]) + epsilon);
  }
}

}  // namespace poise
