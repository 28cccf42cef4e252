#include "poise_spectrum/settings.hpp"

namespace poise {

SpectrumSettings SpectrumSettings::from(Options& o) {
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
  options.solver("spec_w_", "EPS", "krylovschur, leading eigenvalues of W, residual 1e-12 of the norm");
  options.solver("spec_norm_", "EPS", "krylovschur, norms of W");
  options.solver("spec_power_", "EPS", "krylovschur, norms of the powers of W");
  options.solver("spec_range_", "EPS", "krylovschur, support lines of the numerical range");
  options.solver("spec_resolvent_", "EPS",
                 "krylovschur on the inverse of zI - W, 1e-6; the inverse: KSP, gmres(200), 1e-8");
  options.solver("spec_u_", "EPS",
                 "krylovschur, both ends of U = I - W, 1e-9; the inverse: KSP, gmres(200), 1e-11");
  options.solver("spec_", "EPS", "krylovschur, smallest eigenvalue of D, residual 3e-9");
  options.solver("spec_state_", "EPS", "krylovschur: only where the first solve of spec_ starts");
  options.solver("spec_max_", "EPS", "krylovschur, largest eigenvalue of D, 1e-10");
  options.solver("spec_jacobian_", "EPS", "krylovschur, spectral radius of Jacobians, 1e-10 of the norm");
  options.solver("spec_jacobian_norm_", "EPS", "krylovschur, norms of Jacobians");
  options.solver("eq_", "SNES", "equilibria, as in poise-train");
  options.solver("collapsed_", "KSP", "gmres, solves with U on the way to D, 1e-13");
}

}  // namespace poise
