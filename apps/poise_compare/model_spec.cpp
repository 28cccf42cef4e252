#include "poise_compare/model_spec.hpp"

namespace poise::compare {

std::string ModelSpec::name() const {
  switch (kind) {
    case Kind::implicit:
      return "implicit";
    case Kind::unrolled:
      return "depth " + std::to_string(depth);
    case Kind::shallow:
      return "shallow";
    case Kind::feedforward:
      break;
  }
  return linear() ? "deep linear" : to_string(activation) + " network";
}

double ModelSpec::cost() const {
  constexpr double solves = 10.0;  // products of the Krylov solves of a gradient
  if (kind == Kind::implicit) return solves;
  return 1.0 + static_cast<double>(depth);
}

}  // namespace poise::compare
