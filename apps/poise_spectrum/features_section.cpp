#include "poise/theory/feature_matrix.hpp"
#include "poise_spectrum/sections.hpp"

namespace poise::spectrum {

void Sections::features() {
  const Problem& problem = experiment_.problem();
  table_.section("features", "Features Phi of the training samples");
  const FeatureSpectrum found =
      feature_spectrum(experiment_.grid(), experiment_.data().features().width(), problem.train);
  const auto add = [&](const char* name, const char* label, double value, const Theory& theory) {
    table_.add({.name = name, .label = label, .value = value, .theory = theory});
  };
  add("largest_singular_value", "sigma_max", found.largest, {});
  add("smallest_singular_value", "sigma_r", found.smallest,
      {">", found.cut, "below, rounding of Phi Phi' hides it: counts as 0"});
  add("rank", "rank", static_cast<double>(found.rank), {"<=", static_cast<double>(found.width), "features"});
  add("condition", "condition", found.condition(), {});
  if (problem.loss->least_squares())
    add("kappa", "kappa", 4.0 * problem.scale(problem.train.total) * found.smallest * found.smallest,
        {"", 0.0, "4 s sigma_r^2, of Theorem 1 (5.2)"});
  else
    table_.note("kappa: no global one for this loss (5.3)");
}

}  // namespace poise::spectrum
