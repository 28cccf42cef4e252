#include "poise/spectrum/spectrum_main.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/version.hpp"
#include "poise/io/durable.hpp"
#include "poise/petsc/session.hpp"
#include "poise/run/solvers.hpp"
#include "poise/run/stored_run.hpp"
#include "poise/spectrum/sections.hpp"

namespace poise {
namespace spectrum {
namespace {

constexpr const char* spectrum_usage =
    "poise-spectrum: eigenvalues, norms and other spectral numbers of a checkpoint, among them numbers that "
    "matter if the weights are not normal and eigenvalues mislead\n"
    "  poise-spectrum -run runs/digits\n"
    "  mpirun -n 2 poise-spectrum -run runs/digits -step 100 -count 10 -json spectrum.json\n"
    "All other options of the run are taken from the checkpoint; solver options given now override the "
    "run's.";

/// Declares the prefixes of the solvers that poise-spectrum uses.
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
                            {"spec_graph_"},
                            {"eq_", "as in poise-train"},
                            {"eq_scalar_"},
                            {"collapsed_"}});
}

void head(Table& table, const Experiment& experiment, const TrainSettings& run, const std::string& checkpoint,
          Index step, double t) {
  const ProcessGrid& grid = experiment.grid();
  const ParameterLayout& layout = experiment.layout();
  const bool model = run.network.has_equilibrium_model();
  table.fact("version", version());
  table.fact("checkpoint", checkpoint);
  table.fact("step", static_cast<double>(step));
  table.fact("t", t);
  table.fact("model", model ? run.network.model : run.network.objective);
  if (model && run.network.is_pointwise()) {
    table.fact("weights", to_string(run.network.weights));
    table.fact(run.network.weights == WeightKind::monotone ? "margin" : "gamma",
               run.network.weights == WeightKind::monotone ? run.network.margin : run.network.gamma);
  }
  if (run.network.is_graph()) table.fact("graph_normalise", to_string(run.network.normalisation));
  table.fact("m", static_cast<double>(layout.width()));
  table.fact("q", static_cast<double>(layout.outputs()));
  table.fact("samples", static_cast<double>(experiment.problem().train.total));
  table.fact("ranks", static_cast<double>(grid.size()));
  table.fact("grid", fmt::format("{}x{}", grid.feature_ranks(), grid.sample_ranks()));
  if (grid.rank() != 0) return;
  std::printf("poise-spectrum %s: %s\n  step %lld, t = %s; %s, m = %lld, q = %lld; %d = %d x %d ranks\n",
              version().c_str(), checkpoint.c_str(), static_cast<long long>(step), to_text(t).c_str(),
              (model ? run.network.model : run.network.objective).c_str(),
              static_cast<long long>(layout.width()), static_cast<long long>(layout.outputs()), grid.size(),
              grid.feature_ranks(), grid.sample_ranks());
  std::printf("  %-23s %-28s %-8s  %s\n", "quantity", "value", "residual", "theory");
}

/// Collective. Opens the checkpoint that the options name, computes its spectral quantities and prints them;
/// -json FILE writes them, too. Throws bad_input if run and options do not fit. Throws failure if a solver
/// did not converge: the quantities found before are then on the terminal, and no file is written.
ExitCode report_spectrum(Options& options, MPI_Comm comm) {
  const SpectrumSettings settings = SpectrumSettings::from(options);
  on_root(comm, [&] { require_output_path("json", settings.json); });
  const Checkpoint checkpoint = open_stored_run(comm, options);
  TrainSettings run = recall_settings(options, checkpoint);
  run.audit = false;  // the report needs no eigenvectors of the audit, and not every run has them
  run.network.warm_start = false;
  run.network.gradient_check = 0;
  declare_spectrum_solvers(options);

  Experiment experiment(comm, run, &checkpoint);
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  Table table(rank == 0);
  Sections sections(experiment, run, settings, table);
  options.reject_unknown();
  head(table, experiment, run, checkpoint.path(), experiment.state().step, experiment.state().t);
  sections.report();
  table.write(comm, settings.json);
  return ExitCode::done;
}

}  // namespace

SpectrumSettings SpectrumSettings::from(Options& o) {
  const Options::Category category(o, "spectrum");
  SpectrumSettings s;
  s.count = o.integer("count", 6, {1, 1e6},
                      "number of leading eigenvalues of the recurrent weights W to report, and one more if "
                      "that completes a complex pair; the default is lowered to m if m is smaller");
  s.count_given = o.settings().back().given;
  s.samples = o.integer("samples", 8, {1, 1e5},
                        "number of training samples, evenly spread, at whose equilibria the Jacobian is "
                        "measured");
  s.angles = o.integer("angles", 48, {5, 1e5}, "largest number of support lines of the numerical range");
  s.points = o.integer("points", 16, {5, 1e5},
                       "largest number of points z with |z| = 1 at which the resolvent is measured");
  s.power = o.integer("power", 64, {1, 1e6}, "highest power k of the norms of W^k; k = 1, 2, 4, ...");
  s.dense_limit = o.integer("dense_limit", 1024, {0, 20000},
                            "largest width of W for which all eigenvalues are computed (LAPACK on one rank); "
                            "the conditions of eigenvalues and the departure from normality need them");
  s.json = o.text("json", "", "also write the quantities to this file, as JSON");
  return s;
}

}  // namespace spectrum

int spectrum_main(int argc, char** argv) {
  return run_options_program(
      argc, argv, spectrum::spectrum_usage,
      [](Options& options) {
        declare_stored_run(options);
        (void)spectrum::SpectrumSettings::from(options);
        spectrum::declare_spectrum_solvers(options);
      },
      spectrum::report_spectrum);
}

}  // namespace poise
