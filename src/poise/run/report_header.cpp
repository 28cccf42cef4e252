#include <slepcsys.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "poise/base/brief.hpp"
#include "poise/base/version.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/run/report.hpp"

namespace poise {

namespace {

/// Of the samples behind the last whole batch.
std::string remainder_text(const Minibatches& minibatches, bool kept) {
  if (minibatches.remainder() == 0) return {};
  const std::string rest = std::to_string(minibatches.remainder());
  return kept ? ", the last of " + rest
              : " (" + rest + " other samples sit out each; -batch_remainder keep takes them)";
}

}  // namespace

void Report::header() const {
  if (!speaks_) return;
  std::printf("poise-train %s (%s), PETSc %d.%d.%d, SLEPc %d.%d.%d\n", version().c_str(),
              git_commit().c_str(), PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, PETSC_VERSION_SUBMINOR,
              SLEPC_VERSION_MAJOR, SLEPC_VERSION_MINOR, SLEPC_VERSION_SUBMINOR);
  print_data();
  print_model();
  print_gradient();
  print_dynamics();
  print_ranks();
  std::printf("  run       %s\n", run_.c_str());
  print_audit();
  const bool audit = experiment_.audit() != nullptr;
  std::printf("\n%8s %10s %12s %11s %11s %10s %8s %8s %8s\n", "step", experiment_.batches() ? "epoch" : "t",
              "loss", audit ? "excess" : "gradient", audit ? "bound" : "contraction",
              audit ? "lambda_min" : "iterations", "train", "test", "left");
  std::fflush(stdout);
}

void Report::print_model() const {
  const NetworkSettings& network = settings_.network;
  const ParameterLayout& layout = experiment_.layout();
  std::printf("  model     %s, m = %lld, q = %lld, %lld parameters\n", network.description().c_str(),
              static_cast<long long>(layout.width()), static_cast<long long>(layout.outputs()),
              static_cast<long long>(layout.width() * layout.row_length()));
  if (!certificate_.norm.empty())
    std::printf("  equilibria %s\n", certificate_text().c_str());
  else if (settings_.network.has_equilibrium_model())
    std::printf("  equilibria no certificate is known: every solve is checked\n");
  print_digits();
}

/// Rounding in z = γWz + φ is multiplied by up to 1/(1 − γ): near γ = 1 few digits are left, whatever solves.
void Report::print_digits() const {
  constexpr double noted = 1e-4;
  const double distance = 1.0 - certificate_.contraction;
  if (certificate_.norm.empty() || !(distance > 0.0 && distance < noted)) return;
  const double digits = std::max(0.0, std::floor(-std::log10(0x1p-52 / distance)));
  std::printf("  digits    about %g: rounding is multiplied by up to 1/(1 - contraction) = %.2g\n", digits,
              1.0 / distance);
}

std::string Report::certificate_text() const {
  const std::string norm = certificate_.norm == "1" ? "₁" : "₂";
  const std::string bound =
      "‖∂h/∂z‖" + norm + " ≤ " + to_text(std::round(certificate_.contraction * 1e6) / 1e6);
  if (certificate_.norm == "monotone" && !settings_.network.is_pointwise())
    return "well posed: strongly monotone with margin " + to_text(1.0 - certificate_.contraction);
  if (settings_.network.weights == WeightKind::monotone)
    return "well posed for every P, Q: I - W is monotone with margin " + to_text(settings_.network.margin);
  if (settings_.network.is_pointwise() && settings_.network.weights != WeightKind::free)
    return "well posed for every A: " + bound;
  return certificate_.well_posed() ? "well posed at the start: " + bound + ", watched"
                                   : "not certified: " + bound + ", equilibria are monitored";
}

void Report::print_gradient() const {
  const NetworkSettings& network = settings_.network;
  std::string text = network.objective + " objective";
  if (network.is_unrolled()) text += " of " + plural(network.depth, "layer");
  text += ", gradient " + experiment_.network().gradient_label();
  if (warm_bytes_ > 0.0) text += ", warm starts take " + brief(warm_bytes_ / 1e6, 3) + " MB a rank";
  std::printf("  loss      %s, %s over the samples, %s\n", settings_.loss->name().c_str(),
              settings_.mean ? "mean" : "sum", text.c_str());
  print_solvers();
}

void Report::print_solvers() const {
  const EquilibriumObjective* objective = experiment_.network().equilibrium();
  if (objective == nullptr) return;
  const EquilibriumSolver& equilibrium = objective->equilibrium();
  std::printf("  equilibrium  SNES %s, rtol %s (eq_)\n", equilibrium.type().c_str(),
              to_text(equilibrium.rtol()).c_str());
  const Backward& backward = settings_.network.backward;
  if (backward.exact())
    std::printf("  adjoint      KSP %s, rtol %s (adj_)\n", objective->adjoint().type().c_str(),
                to_text(objective->adjoint().rtol()).c_str());
  else
    std::printf("  adjoint      cut off after %s (-backward)\n", plural(backward.terms, "term").c_str());
}

void Report::print_dynamics() const {
  std::string batches;
  if (const Minibatches* minibatches = experiment_.batches())
    batches = ", batches of " + std::to_string(settings_.batch) + ", " +
              std::to_string(minibatches->batches_per_epoch()) + " an epoch" +
              remainder_text(*minibatches, settings_.batch_remainder);
  std::printf(
      "  dynamics  %s\n",
      settings_.dynamics->description(experiment_.end_time(), experiment_.max_steps(), batches).c_str());
}

void Report::print_ranks() const {
  const ProcessGrid& grid = experiment_.grid();
  const BlasInfo blas = blas_info();
  // The folder tells which BLAS a generic libblas.so.3 is.
  const auto slash = blas.file.rfind('/', blas.file.rfind('/') - 1);
  std::printf("  ranks     %d = %d over features x %d over samples; %s, %s a rank\n", grid.size(),
              grid.feature_ranks(), grid.sample_ranks(),
              blas.file.substr(slash == std::string::npos ? 0 : slash + 1).c_str(),
              plural(blas.threads, "BLAS thread").c_str());
}

}  // namespace poise
