#include "poise/model/loss.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/error.hpp"

namespace poise {
namespace {

LossSum squared(Index q, Index p, const double* f, const double* y, double* gradient) {
  LossSum sum;
  for (Index i = 0; i < p; ++i, f += q, y += q) {
    if (q > 1 && std::max_element(f, f + q) - f == std::max_element(y, y + q) - y) ++sum.correct;
    if (q == 1 && (f[0] > 0.5) == (y[0] > 0.5)) ++sum.correct;
    for (Index c = 0; c < q; ++c) {
      const double difference = f[c] - y[c];
      sum.loss += difference * difference;
      if (gradient != nullptr) gradient[i * q + c] = 2.0 * difference;
    }
  }
  return sum;
}

/// ℓ = log(1 + eᶠ) − y f, written so that e is never raised to a positive number.
LossSum logistic(Index p, const double* f, const double* y, double* gradient) {
  LossSum sum;
  for (Index i = 0; i < p; ++i) {
    const double decay = std::exp(-std::abs(f[i]));
    const double probability = f[i] >= 0.0 ? 1.0 / (1.0 + decay) : decay / (1.0 + decay);
    if ((f[i] > 0.0) == (y[i] > 0.5)) ++sum.correct;
    sum.loss += std::max(f[i], 0.0) - y[i] * f[i] + std::log1p(decay);
    if (gradient != nullptr) gradient[i] = probability - y[i];
  }
  return sum;
}

/// ℓ = log Σ_c e^{f_c} − f_y.
LossSum cross_entropy(Index q, Index p, const double* f, const double* y, double* gradient) {
  LossSum sum;
  for (Index i = 0; i < p; ++i, f += q, y += q) {
    const double* top = std::max_element(f, f + q);
    const Index label = std::max_element(y, y + q) - y;
    if (top - f == label) ++sum.correct;
    const double shift = *top;
    const double score = f[label] - shift;
    double total = 0.0;
    for (Index c = 0; c < q; ++c) total += std::exp(f[c] - shift);
    sum.loss += std::log(total) - score;
    if (gradient == nullptr) continue;
    for (Index c = 0; c < q; ++c)
      gradient[i * q + c] = std::exp(f[c] - shift) / total - (c == label ? 1.0 : 0.0);
  }
  return sum;
}

}  // namespace

LossKind parse_loss(const std::string& name) {
  if (name == "squared") return LossKind::squared;
  if (name == "logistic") return LossKind::logistic;
  if (name == "cross_entropy") return LossKind::cross_entropy;
  throw bad_input("unknown loss '" + name + "': choose squared, logistic or cross_entropy");
}

std::string to_string(LossKind kind) {
  return kind == LossKind::squared ? "squared" : kind == LossKind::logistic ? "logistic" : "cross_entropy";
}

LossSum evaluate_loss(LossKind kind, Index outputs, Index p, const double* f, const double* targets,
                      double* gradient) {
  switch (kind) {
    case LossKind::squared:
      return squared(outputs, p, f, targets, gradient);
    case LossKind::logistic:
      return logistic(p, f, targets, gradient);
    case LossKind::cross_entropy:
      return cross_entropy(outputs, p, f, targets, gradient);
  }
  return {};
}

}  // namespace poise
