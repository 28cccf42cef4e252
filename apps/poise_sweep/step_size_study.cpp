#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "poise/base/text.hpp"
#include "poise/dynamics/descent.hpp"
#include "poise/theory/step_limit.hpp"
#include "poise_sweep/follow.hpp"
#include "poise_sweep/study.hpp"

namespace poise::sweep {
namespace {

// Values of the column "base": the limit that -step_factors multiply, or `largest`, found by bisection.
constexpr double of_guaranteed = 0, of_local = 1, largest = 2;
/// Bisection starts between these: below the first the rate should hold, above the second it should not.
constexpr double low_start = 0.1;   // of the guaranteed limit
constexpr double high_start = 8.0;  // of the local limit

/// A descent with the solver of its step limits.
struct LimitedDescent {
  LimitedDescent(MPI_Comm comm, const TrainSettings& settings)
      : experiment(comm, settings, nullptr),
        model(*experiment.network().collapsed()),
        dynamics(model.softmax(), model.gamma(), experiment.problem().outputs),
        solver(model, *experiment.network().shallow_loss(), dynamics) {}
  /// Collective. The limits at the experiment's θ.
  StepLimit limit() {
    (void)model.set_parameters(experiment.theta());
    dynamics.update(model.w());
    return solver.measure();
  }
  Experiment experiment;
  CollapsedModel& model;
  DynamicsMatrix dynamics;
  StepLimitSolver solver;
};

TrainSettings settings_of(const SweepSettings& sweep, const std::vector<double>& p, double step_size) {
  TrainSettings s = sweep.member(p[0], p[1], p[2], p[3]);
  s.dynamics = descent_kind({.step_size = step_size});
  s.time = std::numeric_limits<double>::max();
  return s;
}

StepLimit limit_at_start(const SweepSettings& sweep, MPI_Comm comm, const std::vector<double>& p) {
  return LimitedDescent(comm, settings_of(sweep, p, 1.0)).limit();
}

/// Steps compared with StepLimit::factor.
struct FactorCheck {
  double contraction = 0.0;  ///< largest E⁺/E of all steps
  double checked = 0.0, violated = 0.0;
  double worst = std::numeric_limits<double>::quiet_NaN();  ///< largest (E⁺/E) / factor
  double smallest_guaranteed = std::numeric_limits<double>::infinity();
  double smallest_local = smallest_guaranteed;
};

Followed descend(LimitedDescent& descent, Interruptions& requests, const SweepSettings& sweep, double eta,
                 FactorCheck& check) {
  const AuditConstants& constants = descent.experiment.audit()->constants();
  double before = 0.0;
  std::optional<double> factor;  // of the step that ends at the inspected point
  const auto inspect = [&](const DynamicsState& state, Vec, const Evaluation&, const AuditPoint& point) {
    const double excess = point.sample.excess;
    if (state.step > 0 && before > 0.0) {
      const double contraction = excess / before;
      check.contraction = std::max(check.contraction, contraction);
      if (factor) {
        check.checked += 1.0;
        check.worst = std::fmax(check.worst, contraction / *factor);
        if (excess > *factor * before + constants.excess_rounding) check.violated += 1.0;
      }
    }
    before = excess;
    factor.reset();
    if (state.step % sweep.limit_every != 0) return true;
    const StepLimit limit = descent.limit();
    check.smallest_guaranteed = std::min(check.smallest_guaranteed, limit.guaranteed);
    check.smallest_local = std::min(check.smallest_local, limit.local);
    if (eta < limit.guaranteed) factor = limit.factor(eta, constants.kappa, point.sample.lambda_min);
    return true;
  };
  return follow(descent.experiment, requests,
                {.target = sweep.target, .stop = FollowSettings::Stop::at_bound, .allow_divergence = true},
                inspect);
}

bool rate_holds(const SweepSettings& sweep, MPI_Comm comm, const std::vector<double>& p, double eta,
                Interruptions& requests) {
  Experiment experiment(comm, settings_of(sweep, p, eta), nullptr);
  const Followed run =
      follow(experiment, requests,
             {.target = sweep.target, .stop = FollowSettings::Stop::at_bound, .allow_divergence = true});
  return run.held;
}

/// The largest step size found at which the rate held; 0 if it held at none.
double bisect(const SweepSettings& sweep, MPI_Comm comm, const std::vector<double>& p, const StepLimit& limit,
              Interruptions& requests) {
  double low = low_start * limit.guaranteed;
  double high = high_start * limit.local;
  if (!rate_holds(sweep, comm, p, low, requests)) return 0.0;
  if (rate_holds(sweep, comm, p, high, requests)) return high;
  for (Index k = 0; k < sweep.bisections; ++k) {
    const double middle = std::sqrt(low * high);
    (rate_holds(sweep, comm, p, middle, requests) ? low : high) = middle;
  }
  return low;
}

std::vector<double> run(const SweepSettings& sweep, MPI_Comm comm, const std::vector<double>& p,
                        Interruptions& requests) {
  const double base = p[4];
  const StepLimit start = limit_at_start(sweep, comm, p);
  const double eta = base == of_guaranteed ? p[5] * start.guaranteed
                     : base == of_local    ? p[5] * start.local
                                           : bisect(sweep, comm, p, start, requests);
  FactorCheck check;
  Followed done;
  if (eta > 0.0) {
    LimitedDescent descent(comm, settings_of(sweep, p, eta));
    done = descend(descent, requests, sweep, eta, check);
  }
  return {eta,
          start.guaranteed,
          start.local,
          eta / start.guaranteed,
          eta / start.local,
          start.lambda_max,
          start.smoothness,
          start.curvature,
          check.smallest_guaranteed,
          check.smallest_local,
          eta > 0.0 && done.held ? 1.0 : 0.0,
          eta > 0.0 && done.held_integrated ? 1.0 : 0.0,
          done.first_violation,
          done.diverged ? 1.0 : 0.0,
          done.reached ? 1.0 : 0.0,
          done.final_excess / done.initial_excess,
          done.tightness,
          check.contraction,
          check.checked,
          check.violated,
          check.worst,
          done.steps};
}

std::string range_of(const Table& table, const std::string& column, double base) {
  double low = std::numeric_limits<double>::infinity();
  double high = 0.0;
  for (std::size_t row = 0; row < table.rows(); ++row)
    if (table.at(row, "base") == base && table.error(row).empty()) {
      low = std::min(low, table.at(row, column));
      high = std::max(high, table.at(row, column));
    }
  return fmt::format("{} to {}", brief(low, 3), brief(high, 3));
}

Verdict judge(const Table& table) {
  std::size_t below = 0, held = 0;
  double checked = 0.0, violated = 0.0;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    if (!table.error(row).empty()) continue;
    checked += table.at(row, "factor_checks");
    violated += table.at(row, "factor_violations");
    if (table.at(row, "over_guaranteed") >= 1.0 || table.at(row, "base") == largest) continue;
    ++below;
    if (table.at(row, "held") == 1.0) ++held;
  }
  Verdict verdict;
  verdict.text = fmt::format(
      "below the guaranteed limit Theorem 1's rate held in {}; steps contracted by more than the guaranteed "
      "factor: {} of {}",
      of_members(held, below), to_text(checked - violated), to_text(checked));
  for (std::size_t row = 0; row < table.rows(); ++row)
    if (table.at(row, "base") == largest) {
      verdict.text += fmt::format(
          "; the largest step at which the rate held is {} of the guaranteed limit and {} of the local one",
          range_of(table, "over_guaranteed", largest), range_of(table, "over_local", largest));
      break;
    }
  return verdict;
}

void describe(Study& study) {
  study.parameters = {
      {"width", "m asked for, with the constant feature; 0: all"},
      {"gamma", "contraction factor"},
      {"init_scale", "start of A: this factor times N(0,1)"},
      {"seed", "counted from -seed"},
      {"base", "0: the guaranteed limit, 1: the local limit, 2: the largest step, found by bisection"},
      {"factor", "step size over the limit at the start; 0 if the step was found by bisection"}};
  study.results = {{"step_size", "eta"},
                   {"guaranteed", "2/(beta lambda_max(D)) at the start"},
                   {"local", "2/lambda_max(D^1/2 H D^1/2) at the start"},
                   {"over_guaranteed", "step_size / guaranteed"},
                   {"over_local", "step_size / local"},
                   {"lambda_max", "of D at the start"},
                   {"smoothness", "beta of the shallow loss"},
                   {"curvature", "lambda_max(D^1/2 H D^1/2) at the start"},
                   {"smallest_guaranteed", "smallest guaranteed limit at the measured steps"},
                   {"smallest_local", "smallest local limit at the measured steps"},
                   {"held", "1: Theorem 1's bound held at every step, with t = sum of the step sizes"},
                   {"held_integrated", "1: the integrated bound (5.1) held at every step"},
                   {"first_violation", "step of the first violation; -1: none"},
                   {"diverged", "1: the loss was no longer finite"},
                   {"reached", "1: the excess fell to -target of the initial one"},
                   {"excess_ratio", "L - L* at the end over L - L* at the start"},
                   {"tightness", "smallest measured exponent over the exponent of Theorem 1's bound"},
                   {"worst_contraction", "largest excess after a step over the excess before it"},
                   {"factor_checks", "steps compared with the guaranteed factor (StepLimit)"},
                   {"factor_violations", "steps among these that contracted by less"},
                   {"worst_over_factor", "largest contraction over the guaranteed factor"},
                   {"steps", "steps of the descent"}};
  study.shown = {"over_guaranteed",   "over_local",   "held",      "held_integrated",
                 "reached",           "excess_ratio", "tightness", "worst_contraction",
                 "worst_over_factor", "steps"};
}

}  // namespace

Study step_size_study(const SweepSettings& sweep) {
  Study study;
  describe(study);
  std::vector<std::vector<double>> steps = combinations({{of_guaranteed, of_local}, sweep.step_factors});
  if (sweep.bisections > 0) steps.push_back({largest, 0.0});
  for (const auto& start :
       combinations({sweep.widths, sweep.gammas, sweep.init_scales, counting(sweep.seeds)}))
    for (const auto& step : steps) {
      study.members.push_back(start);
      study.members.back().insert(study.members.back().end(), step.begin(), step.end());
      // Descent takes steps in inverse proportion; bisection runs several.
      const bool searched = step[0] == largest;
      study.costs.push_back(searched ? 2.0 + static_cast<double>(sweep.bisections) : 1.0 + 1.0 / step[1]);
    }
  study.run = [sweep](MPI_Comm comm, const std::vector<double>& p, Interruptions& requests) {
    return run(sweep, comm, p, requests);
  };
  study.rehearse = [sweep](MPI_Comm comm, const std::vector<double>& p) {
    return LimitedDescent(comm, settings_of(sweep, p, 1.0)).experiment.data().fingerprint();
  };
  study.verdict = judge;
  return study;
}

}  // namespace poise::sweep
