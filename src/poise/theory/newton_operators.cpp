#include "poise/theory/newton_operators.hpp"

namespace poise {

NewtonOperators::NewtonOperators(CollapsedModel& model, ShallowLoss& loss)
    : model_(model),
      loss_(loss),
      metric_(model.softmax(), model.gamma(), loss.layout().outputs()),
      solved_(static_cast<std::size_t>(metric_.local_size())),
      curved_(solved_.size()) {}

void NewtonOperators::update() {
  metric_.update(model_.w());
  loss_.linearise(model_.w());
}

void NewtonOperators::apply_hessian(const double* v, double* out) {
  loss_.hessian_product(v, out);
}

void NewtonOperators::apply_pulled_back(const double* x, double* out) {
  (void)model_.solve_transpose(x, solved_.data());
  loss_.hessian_product(solved_.data(), curved_.data());
  (void)model_.solve(curved_.data(), out);
}

void NewtonOperators::apply_metric(double delta, const double* v, double* out) {
  loss_.hessian_product(v, curved_.data());
  metric_.apply_inverse(v, out);
  for (std::size_t i = 0; i < curved_.size(); ++i) out[i] -= delta * curved_[i];
}

}  // namespace poise
