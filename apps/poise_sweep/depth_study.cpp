#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/petsc/vec.hpp"
#include "poise_sweep/follow.hpp"
#include "poise_sweep/study.hpp"

namespace poise::sweep {
namespace {

/// Relative rounding error of W and W_H, before the factor (1 + γ)/(1 − γ), the condition number of U: sums
/// of m terms.
constexpr double rounding_share = 1e-12;

TrainSettings implicit_settings(const SweepSettings& sweep, const std::vector<double>& p) {
  return sweep.member(p[0], p[1], p[2], p[3]);
}

TrainSettings network_settings(const SweepSettings& sweep, const std::vector<double>& p, double depth) {
  TrainSettings s = implicit_settings(sweep, p);
  s.network.objective = "unrolled";
  s.network.depth = static_cast<Index>(depth);
  s.audit = false;
  return s;
}

double norm(Vec x) {
  double value = 0.0;
  check(VecNorm(x, NORM_2, &value));
  return value;
}

double distance(Vec x, Vec y) {
  const VecHandle difference = duplicate(x);
  check(VecWAXPY(difference.get(), -1.0, y, x));
  return norm(difference.get());
}

double largest(MPI_Comm comm, const std::vector<double>& x) {
  double top = 0.0;
  for (const double value : x) top = std::max(top, std::abs(value));
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &top, 1, MPI_DOUBLE, MPI_MAX, comm));
  return top;
}

/// Collective. Wᵀ of the network of H layers at the θ of the model: the first H terms of Wᵀ = Σ (γSᵀ)ˡ Bᵀ, by
/// H steps y ← Bᵀ + γSᵀy with Bᵀ = UᵀWᵀ.
std::vector<double> weight_of_depth(const CollapsedModel& model, Index entries, Index outputs, Index depth) {
  const double gamma = model.gamma();
  const auto size = static_cast<std::size_t>(entries);
  std::vector<double> b(size), y(size, 0.0), image(size);
  model.softmax().multiply_transpose(outputs, model.w(), b.data());
  for (std::size_t i = 0; i < size; ++i) b[i] = model.w()[i] - gamma * b[i];
  for (Index layer = 0; layer < depth; ++layer) {
    model.softmax().multiply_transpose(outputs, y.data(), image.data());
    for (std::size_t i = 0; i < size; ++i) y[i] = b[i] + gamma * image[i];
  }
  return y;
}

/// The implicit model of a member, and where it starts.
class Limit {
 public:
  Limit(MPI_Comm comm, const TrainSettings& settings) : experiment_(comm, settings, nullptr) {
    Experiment& e = experiment_;
    gradient_ = duplicate(e.theta());
    start_ = duplicate(e.theta());
    check(VecCopy(e.theta(), start_.get()));
    loss_ = e.objective().value_and_gradient(e.theta(), gradient_.get()).train.loss;
  }
  [[nodiscard]] Experiment& experiment() { return experiment_; }
  [[nodiscard]] Vec start() const { return start_.get(); }
  [[nodiscard]] Vec gradient() const { return gradient_.get(); }
  [[nodiscard]] double loss() const { return loss_; }
  /// Collective. The excess at θ of the implicit model (depth 0) or of the network of `depth` layers.
  double excess(Vec theta, Index depth) {
    CollapsedModel& model = *experiment_.network().collapsed();
    (void)model.set_parameters(theta);
    const LeastSquaresReference& reference = *experiment_.audit()->reference();
    return depth == 0 ? reference.distance(model.w()).excess
                      : reference.distance(weight(depth).data()).excess;
  }
  /// Collective. max|W − W_H| / max|W| at the θ of the model.
  double weight_error(Index depth) {
    const CollapsedModel& model = *experiment_.network().collapsed();
    std::vector<double> w(model.w(), model.w() + entries());
    std::vector<double> difference = weight(depth);
    for (std::size_t i = 0; i < w.size(); ++i) difference[i] -= w[i];
    const MPI_Comm comm = experiment_.grid().world();
    return largest(comm, difference) / largest(comm, w);
  }

 private:
  [[nodiscard]] Index entries() const { return experiment_.layout().slice().size() * outputs(); }
  [[nodiscard]] Index outputs() const { return experiment_.layout().outputs(); }
  std::vector<double> weight(Index depth) {
    return weight_of_depth(*experiment_.network().collapsed(), entries(), outputs(), depth);
  }
  Experiment experiment_;
  VecHandle gradient_, start_;
  double loss_ = 0.0;
};

/// Relative errors of a network of some depth against the limit, both at the start.
struct Errors {
  double loss = 0.0, gradient = 0.0, cosine = 0.0;
};

Errors errors_at_start(const SweepSettings& sweep, MPI_Comm comm, const std::vector<double>& p, double depth,
                       const Limit& limit) {
  Experiment network(comm, network_settings(sweep, p, depth), nullptr);
  const VecHandle gradient = duplicate(network.theta());
  const double loss = network.objective().value_and_gradient(network.theta(), gradient.get()).train.loss;
  double inner = 0.0;
  check(VecDot(gradient.get(), limit.gradient(), &inner));
  const double size = norm(limit.gradient());
  return {std::abs(loss - limit.loss()) / limit.loss(), distance(gradient.get(), limit.gradient()) / size,
          inner / size / norm(gradient.get())};
}

std::vector<double> run(const SweepSettings& sweep, MPI_Comm comm, const std::vector<double>& p,
                        Interruptions& requests) {
  const double gamma = p[1];
  const auto depth = static_cast<Index>(p[4]);
  Limit limit(comm, implicit_settings(sweep, p));
  const Errors here = errors_at_start(sweep, comm, p, p[4], limit);
  const Errors deeper = errors_at_start(sweep, comm, p, p[4] + 1.0, limit);
  const double initial = limit.excess(limit.start(), 0);
  const double weight = limit.weight_error(depth);
  const double weight_deeper = limit.weight_error(depth + 1);
  const double bound = std::pow(gamma, static_cast<double>(depth));
  const bool held = weight <= bound + rounding_share * (1.0 + gamma) / (1.0 - gamma);

  Experiment network(comm, network_settings(sweep, p, p[4]), nullptr);
  run_to_end(network, requests);
  Experiment& implicit = limit.experiment();
  run_to_end(implicit, requests);
  const double moved = distance(implicit.theta(), limit.start());
  return {here.loss,
          here.gradient,
          here.cosine,
          weight,
          bound,
          weight_deeper / weight,
          deeper.gradient / here.gradient,
          held ? 0.0 : 1.0,
          distance(network.theta(), implicit.theta()) / moved,
          limit.excess(implicit.theta(), 0) / initial,
          limit.excess(network.theta(), 0) / initial,
          limit.excess(network.theta(), depth) / initial,
          static_cast<double>(network.state().step)};
}

Verdict judge(const Table& table) {
  const std::size_t violated = table.count("violations");
  const std::size_t done = table.rows() - table.failures();
  return {fmt::format("the weight of depth H is within gamma^H of the limit in {}, {} bounds violated",
                      of_members(done - violated, table.rows()), violated),
          violated == 0};
}

}  // namespace

Study depth_study(const SweepSettings& sweep) {
  Study study;
  study.parameters = {{"width", "m asked for, with the constant feature; 0: all"},
                      {"gamma", "contraction factor"},
                      {"init_scale", "start of A: this factor times N(0,1)"},
                      {"seed", "counted from -seed"},
                      {"depth", "layers H of the explicit network"}};
  std::vector<double> seeds = counting(sweep.seeds);
  study.members = combinations({sweep.widths, sweep.gammas, sweep.init_scales, seeds, sweep.depths});
  for (const auto& p : study.members) study.costs.push_back(5.0 + p[4]);
  study.results = {
      {"loss_error", "|L_H - L| / L at the start"},
      {"gradient_error", "|g_H - g| / |g| at the start"},
      {"gradient_cosine", "cosine between g_H and g at the start"},
      {"weight_error", "max|W_H - W| / max|W| at the start"},
      {"weight_bound", "gamma^H, THEORY.md 7.3"},
      {"weight_ratio", "weight_error of H + 1 over weight_error of H"},
      {"gradient_ratio", "gradient_error of H + 1 over gradient_error of H"},
      {"violations", "1: weight_error is above weight_bound; must be 0"},
      {"theta_distance",
       "distance of the trained parameters of both, over the distance that the implicit ones moved"},
      {"excess_implicit", "excess of the trained implicit model, over its excess at the start"},
      {"excess_as_implicit", "excess of the implicit model with the parameters trained at depth H, likewise"},
      {"excess_network", "excess of the network of depth H with its own parameters, likewise"},
      {"steps", "steps of the flow of the network"}};
  study.run = [sweep](MPI_Comm comm, const std::vector<double>& p, Interruptions& requests) {
    return run(sweep, comm, p, requests);
  };
  study.rehearse = [sweep](MPI_Comm comm, const std::vector<double>& p) {
    const Experiment implicit(comm, implicit_settings(sweep, p), nullptr);
    const Experiment network(comm, network_settings(sweep, p, p[4]), nullptr);
    return implicit.data().fingerprint();
  };
  study.shown = {"loss_error",     "gradient_error",  "weight_error",       "weight_bound",  "weight_ratio",
                 "theta_distance", "excess_implicit", "excess_as_implicit", "excess_network"};
  study.verdict = judge;
  return study;
}

}  // namespace poise::sweep
