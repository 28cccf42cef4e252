#include "poise/model/loss.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "poise/base/error.hpp"
#include "poise/model/exponential.hpp"

namespace poise {
namespace {

/// ω_i of a sample.
double weight_of(const double* weights, Index i) {
  return weights == nullptr ? 1.0 : weights[i];
}

LossSum squared(Index q, Index p, const double* f, const double* y, double* gradient, const double* weights) {
  LossSum sum;
  for (Index i = 0; i < p; ++i, f += q, y += q) {
    if (q > 1 && std::max_element(f, f + q) - f == std::max_element(y, y + q) - y) ++sum.correct;
    if (q == 1 && (f[0] > 0.5) == (y[0] > 0.5)) ++sum.correct;
    const double weight = weight_of(weights, i);
    for (Index c = 0; c < q; ++c) {
      const double difference = f[c] - y[c];
      sum.loss += weight * difference * difference;
      if (gradient != nullptr) gradient[i * q + c] = 2.0 * weight * difference;
    }
  }
  return sum;
}

/// ℓ = log(1 + eᶠ) − y f, written so that e is never raised to a positive number.
LossSum logistic(Index p, const double* f, const double* y, double* gradient, const double* weights) {
  LossSum sum;
  for (Index i = 0; i < p; ++i) {
    const double decay = std::exp(-std::abs(f[i]));
    const double probability = f[i] >= 0.0 ? 1.0 / (1.0 + decay) : decay / (1.0 + decay);
    if ((f[i] > 0.0) == (y[i] > 0.5)) ++sum.correct;
    const double weight = weight_of(weights, i);
    sum.loss += weight * (std::max(f[i], 0.0) - y[i] * f[i] + std::log1p(decay));
    if (gradient != nullptr) gradient[i] = weight * (probability - y[i]);
  }
  return sum;
}

/// ℓ = log Σ_c e^{f_c} − f_y. Some samples at a time, so that exponentials come in long vectors.
LossSum cross_entropy(Index q, Index p, const double* f, const double* y, double* gradient,
                      const double* weights) {
  constexpr Index together = 64;
  std::vector<double> powers(static_cast<std::size_t>(std::min(together, p) * q));
  std::array<double, together> label_scores;
  std::array<Index, together> labels;
  LossSum sum;
  for (Index first = 0; first < p; first += together) {
    const Index count = std::min(together, p - first);
    for (Index i = 0; i < count; ++i, f += q, y += q) {
      const double* top = std::max_element(f, f + q);
      const Index label = std::max_element(y, y + q) - y;
      if (top - f == label) ++sum.correct;
      labels[i] = label;
      label_scores[i] = f[label] - *top;
      for (Index c = 0; c < q; ++c) powers[i * q + c] = f[c] - *top;
    }
    exponentials(count * q, powers.data());
    for (Index i = 0; i < count; ++i) {
      const double* power = powers.data() + i * q;
      const double total = std::accumulate(power, power + q, 0.0);
      const double weight = weight_of(weights, first + i);
      sum.loss += weight * (std::log(total) - label_scores[i]);
      if (gradient == nullptr) continue;
      for (Index c = 0; c < q; ++c)
        gradient[(first + i) * q + c] = weight * (power[c] / total - (c == labels[i] ? 1.0 : 0.0));
    }
  }
  return sum;
}

LossSum linear(Index size, const double* f, const double* y, double* gradient) {
  LossSum sum;
  sum.loss = std::inner_product(f, f + size, y, 0.0);
  if (gradient != nullptr) std::copy_n(y, size, gradient);
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
  switch (kind) {
    case LossKind::squared:
      return "squared";
    case LossKind::logistic:
      return "logistic";
    case LossKind::cross_entropy:
      return "cross_entropy";
    case LossKind::linear:
      break;
  }
  return "linear";
}

LossSum evaluate_loss(LossKind kind, Index outputs, Index p, const double* f, const double* targets,
                      double* gradient, const double* weights) {
  switch (kind) {
    case LossKind::squared:
      return squared(outputs, p, f, targets, gradient, weights);
    case LossKind::logistic:
      return logistic(p, f, targets, gradient, weights);
    case LossKind::cross_entropy:
      return cross_entropy(outputs, p, f, targets, gradient, weights);
    case LossKind::linear:
      return linear(outputs * p, f, targets, gradient);
  }
  return {};
}

void loss_probabilities(LossKind kind, Index outputs, Index p, const double* f, double* probabilities) {
  if (kind == LossKind::squared) return;
  for (Index i = 0; i < p; ++i, f += outputs, probabilities += outputs) {
    if (kind == LossKind::logistic) {
      const double decay = std::exp(-std::abs(f[0]));
      probabilities[0] = f[0] >= 0.0 ? 1.0 / (1.0 + decay) : decay / (1.0 + decay);
      continue;
    }
    const double top = *std::max_element(f, f + outputs);
    double total = 0.0;
    for (Index c = 0; c < outputs; ++c) total += probabilities[c] = std::exp(f[c] - top);
    for (Index c = 0; c < outputs; ++c) probabilities[c] /= total;
  }
}

void multiply_loss_curvature(LossKind kind, Index outputs, Index p, const double* probabilities, double* v,
                             const double* weights) {
  for (Index i = 0; i < p; ++i, probabilities += outputs, v += outputs) {
    const double weight = weight_of(weights, i);
    double mean = 0.0;  // pᵀv
    if (kind == LossKind::cross_entropy) mean = std::inner_product(v, v + outputs, probabilities, 0.0);
    for (Index c = 0; c < outputs; ++c) {
      if (kind == LossKind::squared) v[c] *= 2.0 * weight;
      if (kind == LossKind::logistic) v[c] *= weight * probabilities[c] * (1.0 - probabilities[c]);
      if (kind == LossKind::cross_entropy) v[c] = weight * probabilities[c] * (v[c] - mean);
    }
  }
}

double largest_loss_curvature(LossKind kind) {
  return kind == LossKind::squared ? 2.0 : kind == LossKind::logistic ? 0.25 : 0.5;
}

}  // namespace poise
