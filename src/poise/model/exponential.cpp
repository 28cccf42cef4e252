// Compiled with -ffast-math, as softmax.cpp and for the same reason.
#include "poise/model/exponential.hpp"

#include <cmath>

namespace poise {

void exponentials(Index n, double* x) {
  for (Index i = 0; i < n; ++i) x[i] = std::exp(x[i]);
}

}  // namespace poise
