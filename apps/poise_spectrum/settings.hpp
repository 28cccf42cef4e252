#pragma once

#include <string>

#include "poise/base/options.hpp"

namespace poise::spectrum {

/// The options of poise-spectrum that are not those of a run.
struct SpectrumSettings {
  Index count = 6, samples = 8, angles = 48, points = 16, power = 64, dense_limit = 1024;
  bool count_given = false;
  std::string json;

  /// Declares and reads them all. Throws bad_input.
  static SpectrumSettings from(Options& options);
};

/// Declares the prefixes of the solvers that poise-spectrum uses.
void declare_spectrum_solvers(Options& options);

}  // namespace poise::spectrum
