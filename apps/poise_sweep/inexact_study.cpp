#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/check.hpp"
#include "poise/dynamics/descent.hpp"
#include "poise/objective/collapsed_model.hpp"
#include "poise/petsc/options_database.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/theory/step_limit.hpp"
#include "poise_sweep/follow.hpp"
#include "poise_sweep/study.hpp"

namespace poise::sweep {
namespace {

// Values of the column "kind".
constexpr double exact = 0, tolerance = 1, neumann = 2;
/// The rate of a run is its mean rate until the excess is this share of the initial excess.
constexpr double rate_share = 1e-2;

TrainSettings settings_of(const SweepSettings& sweep, const std::vector<double>& p, double step_size) {
  TrainSettings s = sweep.member(p[0], p[1], p[2], p[3]);
  s.network.objective = "equilibrium";
  if (p[4] == neumann)
    s.network.backward = {.kind = Backward::Kind::neumann, .terms = static_cast<Index>(p[5])};
  s.dynamics = descent_kind({.step_size = step_size});
  s.time = std::numeric_limits<double>::max();
  return s;
}

/// Sets the solvers of a member while it lives. The default solver of a linear map is a factorisation, which
/// is exact for every tolerance. Plain iteration stops at the tolerance, like the solvers of other models.
class MemberSolvers {
 public:
  explicit MemberSolvers(const std::vector<double>& p)
      : type_(p[4] == tolerance ? Options{{"-eq_snes_type", "picard"}} : Options{}, TemporaryOptions::keep),
        tolerance_(p[4] == tolerance ? Options{{"-eq_snes_rtol", to_text(p[5])}} : Options{},
                   TemporaryOptions::replace) {}

 private:
  using Options = std::vector<std::pair<std::string, std::string>>;
  TemporaryOptions type_, tolerance_;
};

/// The same step size for all kinds: -step_share of the local limit of the exact descent at the start.
double step_size(const SweepSettings& sweep, MPI_Comm comm, const std::vector<double>& p) {
  TrainSettings settings = settings_of(sweep, p, 1.0);
  settings.network.objective = "collapsed";
  settings.network.backward = {};
  Experiment experiment(comm, settings, nullptr);
  CollapsedModel& model = *experiment.network().collapsed();
  (void)model.set_parameters(experiment.theta());
  DynamicsMatrix dynamics(model.softmax(), model.gamma(), experiment.problem().outputs);
  dynamics.update(model.w());
  return sweep.step_share *
         StepLimitSolver(model, *experiment.network().shallow_loss(), dynamics).measure().local;
}

/// Compares gradients with exact ones, and measures the rate.
class Watch {
 public:
  explicit Watch(Experiment& experiment)
      : experiment_(experiment),
        objective_(*experiment.network().collapsed(), *experiment.network().shallow_loss()),
        exact_(duplicate(experiment.theta())) {}

  bool operator()(const DynamicsState& state, Vec gradient, const Evaluation& evaluation,
                  const AuditPoint& point) {
    iterations += static_cast<double>(evaluation.equilibrium.iterations + evaluation.adjoint.iterations);
    const double excess = point.sample.excess;
    if (state.step == 0) initial_ = excess;
    if (state.step > 0 && (excess > rate_share * initial_ && !fixed_))
      rate = std::log(initial_ / excess) / state.t;
    if (state.step > 0 && excess <= rate_share * initial_ && !fixed_) {
      rate = std::log(initial_ / excess) / state.t;
      fixed_ = true;
    }
    smallest = std::min(smallest, excess);
    compare(gradient, state.step == 0);
    return true;
  }

  double rate = std::numeric_limits<double>::quiet_NaN();
  double iterations = 0.0;
  double smallest = std::numeric_limits<double>::infinity();
  double first_cosine = 1.0, first_error = 0.0, worst_cosine = 1.0, worst_error = 0.0;

 private:
  void compare(Vec gradient, bool first) {
    (void)objective_.value_and_gradient(experiment_.theta(), exact_.get());
    double inner = 0.0, norm = 0.0, own = 0.0, difference = 0.0;
    check(VecDot(gradient, exact_.get(), &inner));
    check(VecNorm(exact_.get(), NORM_2, &norm));
    check(VecNorm(gradient, NORM_2, &own));
    check(VecAXPY(exact_.get(), -1.0, gradient));
    check(VecNorm(exact_.get(), NORM_2, &difference));
    if (norm == 0.0 || own == 0.0) return;
    const double cosine = inner / norm / own;
    const double error = difference / norm;
    if (first) {
      first_cosine = cosine;
      first_error = error;
    }
    worst_cosine = std::min(worst_cosine, cosine);
    worst_error = std::max(worst_error, error);
  }

  Experiment& experiment_;
  CollapsedObjective objective_;
  VecHandle exact_;
  double initial_ = 0.0;
  bool fixed_ = false;
};

std::vector<double> run(const SweepSettings& sweep, MPI_Comm comm, const std::vector<double>& p,
                        Interruptions& requests) {
  const double eta = step_size(sweep, comm, p);
  const MemberSolvers solvers(p);
  Experiment experiment(comm, settings_of(sweep, p, eta), nullptr);
  Watch watch(experiment);
  const Followed done =
      follow(experiment, requests,
             {.target = sweep.target, .stop = FollowSettings::Stop::never, .allow_divergence = true},
             std::ref(watch));
  return {eta,
          watch.first_cosine,
          watch.first_error,
          watch.worst_cosine,
          watch.worst_error,
          watch.rate,
          std::numeric_limits<double>::quiet_NaN(),
          done.tightness,
          done.held ? 1.0 : 0.0,
          done.held_integrated ? 1.0 : 0.0,
          done.first_violation,
          done.reached ? 1.0 : 0.0,
          done.final_excess / done.initial_excess,
          watch.smallest / done.initial_excess,
          done.diverged ? 1.0 : 0.0,
          done.steps,
          watch.iterations};
}

/// rate_relative = rate over the rate of the exact member with the same start; NaN if the exact member
/// failed.
void compare_rates(Table& table) {
  for (std::size_t row = 0; row < table.rows(); ++row)
    for (std::size_t other = 0; other < table.rows(); ++other) {
      const auto same = [&](const char* name) { return table.at(row, name) == table.at(other, name); };
      if (table.at(other, "kind") == exact && same("width") && same("gamma") && same("init_scale") &&
          same("seed"))
        table.set(row, "rate_relative", table.at(row, "rate") / table.at(other, "rate"));
    }
}

Verdict judge(const Table& table) {
  std::size_t held = 0, bad = 0, exact_rows = 0;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    if (table.at(row, "held") == 1.0) ++held;
    if (table.at(row, "kind") != exact || !table.error(row).empty()) continue;
    ++exact_rows;
    if (table.at(row, "held") != 1.0 || table.at(row, "held_integrated") != 1.0) ++bad;
  }
  return {fmt::format("the bound held in {}, with the exact gradient in {}; {} reached L*",
                      of_members(held, table.rows()), of_members(exact_rows - bad, exact_rows),
                      of_members(table.count("reached"), table.rows())),
          bad == 0};
}

}  // namespace

Study inexact_study(const SweepSettings& sweep) {
  Study study;
  study.parameters = {{"width", "m asked for, with the constant feature; 0: all"},
                      {"gamma", "contraction factor"},
                      {"init_scale", "start of A: this factor times N(0,1)"},
                      {"seed", "counted from -seed"},
                      {"kind",
                       "0: exact, 1: equilibria and adjoints to a tolerance, by plain iteration unless "
                       "-eq_snes_type says otherwise, 2: truncated adjoint"},
                      {"value", "the tolerance, or the number of terms; 0 for exact"}};
  std::vector<std::vector<double>> kinds{{exact, 0.0}};
  for (const double value : sweep.tolerances) kinds.push_back({tolerance, value});
  for (const double value : sweep.terms) kinds.push_back({neumann, value});
  for (const auto& kind : kinds)
    for (const auto& start :
         combinations({sweep.widths, sweep.gammas, sweep.init_scales, counting(sweep.seeds)})) {
      study.members.push_back(start);
      study.members.back().insert(study.members.back().end(), kind.begin(), kind.end());
    }
  study.costs.assign(study.members.size(), 1.0);
  study.results = {
      {"step_size", "the same for all kinds of one start"},
      {"gradient_cosine", "with the exact gradient, at the start"},
      {"gradient_error", "relative, at the start"},
      {"worst_cosine", "smallest gradient_cosine of the run"},
      {"worst_error",
       "largest gradient_error of the run; large near the optimum, where the exact gradient vanishes"},
      {"rate", "mean exponent of the excess until it is 1e-2 of the initial excess"},
      {"rate_relative", "rate over the rate of the exact member"},
      {"tightness", "smallest measured exponent over the exponent of Theorem 1's bound"},
      {"held", "1: Theorem 1's bound held at every step"},
      {"held_integrated", "1: the integrated bound (5.1) held at every step"},
      {"first_violation", "step of the first violation; -1: none"},
      {"reached", "1: the excess fell to -target of the initial one"},
      {"excess_ratio", "L - L* at the end over L - L* at the start"},
      {"floor", "smallest excess of the run over the initial excess"},
      {"diverged", "1: the loss was no longer finite"},
      {"steps", "steps of the descent"},
      {"iterations", "iterations of all equilibrium and adjoint solves"}};
  study.run = [sweep](MPI_Comm comm, const std::vector<double>& p, Interruptions& requests) {
    return run(sweep, comm, p, requests);
  };
  study.rehearse = [sweep](MPI_Comm comm, const std::vector<double>& p) {
    (void)step_size(sweep, comm, p);
    const MemberSolvers solvers(p);
    return Experiment(comm, settings_of(sweep, p, 1.0), nullptr).data().fingerprint();
  };
  study.shown = {"gradient_cosine", "gradient_error", "rate_relative", "held",      "held_integrated",
                 "tightness",       "floor",          "steps",         "iterations"};
  study.compare = compare_rates;
  study.verdict = judge;
  return study;
}

}  // namespace poise::sweep
