#include "poise_spectrum/settings.hpp"

#include "poise/run/solvers.hpp"

namespace poise::spectrum {

SpectrumSettings SpectrumSettings::from(Options& o) {
  const Options::Category category(o, "spectrum");
  SpectrumSettings s;
  s.count = o.integer("count", 6, {1, 1e6},
                      "leading eigenvalues of the recurrent weights W; a complex pair stays together, so "
                      "there may be one more. The default is at most m");
  s.count_given = o.settings().back().given;
  s.samples = o.integer("samples", 8, {1, 1e5},
                        "training samples, evenly spread, at whose equilibria the Jacobian is looked at");
  s.angles = o.integer("angles", 48, {5, 1e5}, "support lines of the numerical range at most");
  s.points =
      o.integer("points", 16, {5, 1e5}, "points z of |z| = 1 at most at which the resolvent is measured");
  s.power = o.integer("power", 64, {1, 1e6}, "highest power k of the norms of W^k; k = 1, 2, 4, ...");
  s.dense_limit = o.integer("dense_limit", 1024, {0, 20000},
                            "widest W of which all eigenvalues are computed (LAPACK on one rank), for its "
                            "departure from normality");
  s.json = o.text("json", "", "also write the quantities to this file as JSON");
  return s;
}

void declare_spectrum_solvers(Options& options) {
  declare_solvers(options, {{"spec_w_"},
                            {"spec_norm_"},
                            {"spec_power_"},
                            {"spec_range_"},
                            {"spec_resolvent_"},
                            {"spec_u_"},
                            {"spec_"},
                            {"spec_state_"},
                            {"limit_lambda_"},
                            {"spec_jacobian_"},
                            {"spec_jacobian_norm_"},
                            {"eq_", "as in poise-train"},
                            {"collapsed_"}});
}

}  // namespace poise::spectrum
