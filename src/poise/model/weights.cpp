#include "poise/model/weights.hpp"

#include <cmath>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/model/weight_kinds.hpp"

namespace poise {

WeightKind parse_weights(const std::string& name) {
  if (name == "softmax") return WeightKind::softmax;
  if (name == "spectral") return WeightKind::spectral;
  if (name == "free") return WeightKind::free;
  if (name == "monotone") return WeightKind::monotone;
  throw bad_input("unknown weights '" + name + "': choose softmax, spectral, free or monotone");
}

std::string to_string(WeightKind kind) {
  switch (kind) {
    case WeightKind::softmax:
      return "softmax";
    case WeightKind::spectral:
      return "spectral";
    case WeightKind::free:
      return "free";
    case WeightKind::monotone:
      return "monotone";
  }
  return {};
}

std::vector<ParameterBlock> weight_blocks(WeightKind kind, Index m) {
  const double scale = kind == WeightKind::softmax ? 1.0 : 0.5 / std::sqrt(static_cast<double>(m));
  if (kind != WeightKind::monotone) return {{.name = "A", .columns = m, .scale = scale}};
  return {{.name = "P", .columns = m, .scale = scale}, {.name = "Q", .columns = m, .scale = scale}};
}

std::unique_ptr<Weights> make_weights(WeightKind kind, const ParameterLayout& layout, double gamma) {
  if (!(gamma > 0.0 && gamma <= 1.0))  // false for a NaN too
    throw Error(ExitCode::bad_input,
                (kind == WeightKind::monotone ? "the margin of monotone weights is "
                                              : "the contraction factor of the weights is ") +
                    to_text(gamma) + ": choose it in (0, 1]",
                true);
  switch (kind) {
    case WeightKind::softmax:
      return make_softmax_weights(layout, gamma);
    case WeightKind::spectral:
      return make_spectral_weights(layout, gamma);
    case WeightKind::free:
      return make_free_weights(layout, gamma);
    case WeightKind::monotone:
      return make_monotone_weights(layout, gamma);
  }
  throw failure("unknown kind of weights");
}

}  // namespace poise
