#include "poise/model/loss.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "poise/base/error.hpp"

namespace poise {
inline namespace model {
namespace {

/// ℓ = ‖f − y‖².
class SquaredLoss final : public Loss {
 public:
  [[nodiscard]] std::string name() const override { return "squared"; }
  [[nodiscard]] std::string help() const override { return ""; }
  [[nodiscard]] double largest_curvature() const override { return 2.0; }
  [[nodiscard]] bool has_curvature() const override { return true; }
  [[nodiscard]] bool least_squares() const override { return true; }

  LossSum evaluate(Index q, Index p, const double* f, const double* y, double* gradient,
                   const double* weights) const override {
    LossSum sum;
    for (Index i = 0; i < p; ++i, f += q, y += q) {
      if (q > 1 && std::max_element(f, f + q) - f == std::max_element(y, y + q) - y) ++sum.correct;
      if (q == 1 && (f[0] > 0.5) == (y[0] > 0.5)) ++sum.correct;
      const double weight = weights == nullptr ? 1.0 : weights[i];
      for (Index c = 0; c < q; ++c) {
        const double difference = f[c] - y[c];
        sum.loss += weight * difference * difference;
        if (gradient != nullptr) gradient[i * q + c] = 2.0 * weight * difference;
      }
    }
    return sum;
  }

  void multiply_curvature(Index q, Index p, const double* /*slopes*/, double* v,
                          const double* weights) const override {
    for (Index i = 0; i < p; ++i, v += q)
      for (Index c = 0; c < q; ++c) v[c] *= 2.0 * (weights == nullptr ? 1.0 : weights[i]);
  }
};

class LinearLoss final : public Loss {
 public:
  [[nodiscard]] std::string name() const override { return "linear"; }
  [[nodiscard]] std::string help() const override { return ""; }
  [[nodiscard]] double largest_curvature() const override { return 0.0; }
  [[nodiscard]] bool bounded_below() const override { return false; }

  LossSum evaluate(Index q, Index p, const double* f, const double* y, double* gradient,
                   const double* /*weights*/) const override {
    LossSum sum;
    sum.loss = std::inner_product(f, f + q * p, y, 0.0);
    if (gradient != nullptr) std::copy_n(y, q * p, gradient);
    return sum;
  }
};

struct Known {
  std::vector<const Loss*> losses{squared_loss(), logistic_loss(), cross_entropy_loss()};
  std::vector<std::unique_ptr<const Loss>> own;
};

Known& known() {
  static Known table;
  return table;
}

const Loss* loss_or_null(const std::string& name) {
  const auto& losses = known().losses;
  const auto found =
      std::find_if(losses.begin(), losses.end(), [&](auto* loss) { return loss->name() == name; });
  return found == losses.end() ? nullptr : *found;
}

}  // namespace

void Loss::multiply_curvature(Index /*outputs*/, Index /*p*/, const double* /*slopes*/, double* /*v*/,
                              const double* /*weights*/) const {
  throw Error(ExitCode::bad_input, "-loss " + name() + " does not state its curvature", true);
}

double Loss::largest_curvature() const {
  return std::numeric_limits<double>::infinity();
}

const Loss* squared_loss() {
  static const SquaredLoss loss;
  return &loss;
}

const Loss* linear_loss() {
  static const LinearLoss loss;
  return &loss;
}

void register_loss(std::unique_ptr<const Loss> loss) {
  if (loss_or_null(loss->name()) != nullptr)
    throw Error(ExitCode::bad_input, "a loss of the name '" + loss->name() + "' is known already", true);
  known().losses.push_back(loss.get());
  known().own.push_back(std::move(loss));
}

std::vector<std::string> loss_names(bool (Loss::*property)() const) {
  std::vector<std::string> names;
  for (const Loss* loss : known().losses)
    if (property == nullptr || (loss->*property)()) names.push_back(loss->name());
  return names;
}

std::string loss_help() {
  std::string text;
  for (const Loss* loss : known().losses) {
    const std::string help = loss->help();
    if (!help.empty()) text += "; " + loss->name() + " " + help;
  }
  return text;
}

const Loss* find_loss(const std::string& name) {
  if (const Loss* loss = loss_or_null(name)) return loss;
  std::string names;
  for (const auto& each : loss_names()) names += (names.empty() ? "" : ", ") + each;
  throw Error(ExitCode::bad_input, "unknown loss '" + name + "': choose one of " + names, true);
}

}  // namespace model
}  // namespace poise
