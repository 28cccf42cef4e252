#include <fmt/format.h>

#include <algorithm>

#include "poise_sweep/follow.hpp"
#include "poise_sweep/study.hpp"

namespace poise::sweep {
namespace {

TrainSettings settings_of(const SweepSettings& sweep, const std::vector<double>& p) {
  return sweep.member(p[0], p[1], p[2], p[3]);
}

std::vector<double> run(const SweepSettings& sweep, MPI_Comm comm, const std::vector<double>& p,
                        Interruptions& requests) {
  Experiment experiment(comm, settings_of(sweep, p), nullptr);
  const Followed run = follow(experiment, requests, {.target = sweep.target});
  return {static_cast<double>(experiment.layout().width()),
          static_cast<double>(experiment.layout().outputs()),
          static_cast<double>(experiment.problem().train.total),
          run.reached ? 1.0 : 0.0,
          run.initial_excess,
          run.final_excess / run.initial_excess,
          run.tightness,
          run.tightness_integrated,
          run.lambda_T,
          run.lambda_floor,
          run.lambda_T / run.lambda_floor,
          run.kappa,
          run.violations,
          run.time,
          run.steps,
          run.gradients};
}

/// The relative cost of a member. The flow is stiff if λ_max(D) is large; λ_max(D) grows at least like ‖U⁻¹‖²
/// <= (1 − γ)⁻², and with the scale of A. A step costs products with m² numbers for the eigenvalues, and a
/// part that does not depend on m.
double cost(double width, double gamma, double scale) {
  const double m = width > 0.0 ? width : 64.0;
  const double stiffness = 1.0 + 0.02 * (1.0 + std::min(scale, 4.0)) / ((1.0 - gamma) * (1.0 - gamma));
  return (1.0 + m * m / 400.0) * stiffness;
}

Verdict judge(const Table& table) {
  Verdict verdict;
  const std::size_t violated = table.count("violations");
  verdict.held = violated == 0;
  verdict.text = fmt::format("{} reached L*, {} bounds violated",
                             of_members(table.count("reached"), table.rows()), violated);
  return verdict;
}

}  // namespace

Study width_study(const SweepSettings& sweep) {
  Study study;
  study.parameters = {{"width", "m asked for, with the constant feature; 0: all"},
                      {"gamma", "contraction factor"},
                      {"init_scale", "start of A: this factor times N(0,1)"},
                      {"seed", "counted from -seed"}};
  study.members = combinations({sweep.widths, sweep.gammas, sweep.init_scales, counting(sweep.seeds)});
  for (const auto& p : study.members) study.costs.push_back(cost(p[0], p[1], p[2]));
  study.results = {
      {"m", "state width"},
      {"q", "outputs"},
      {"n", "training samples"},
      {"reached", "1: the excess fell to -target of the initial one, or to rounding"},
      {"initial_excess", "L(0) - L*"},
      {"excess_ratio", "L - L* at the end over L - L* at the start"},
      {"tightness", "smallest measured exponent over the exponent of Theorem 1's bound; at least 1"},
      {"tightness_integrated",
       "smallest measured exponent over the exponent of the integrated bound; at least 1"},
      {"lambda_T", "smallest lambda_min(D) of the run"},
      {"lambda_floor", "1/(m (1 + gamma)^2)"},
      {"lambda_over_floor", "lambda_T / lambda_floor; at least 1"},
      {"kappa", "4 s sigma_r^2 of the features"},
      {"violations", "audited times with a violated bound; must be 0"},
      {"time", "end time of the flow"},
      {"steps", "steps of the integrator"},
      {"gradients", "evaluations of the gradient"}};
  study.run = [sweep](MPI_Comm comm, const std::vector<double>& p, Interruptions& requests) {
    return run(sweep, comm, p, requests);
  };
  study.rehearse = [sweep](MPI_Comm comm, const std::vector<double>& p) {
    return Experiment(comm, settings_of(sweep, p), nullptr).data().fingerprint();
  };
  study.shown = {"reached",  "excess_ratio",      "tightness", "tightness_integrated",
                 "lambda_T", "lambda_over_floor", "steps",     "seconds"};
  study.verdict = judge;
  return study;
}

}  // namespace poise::sweep
