#include "poise_spectrum/spectrum.hpp"

#include <cstdio>
#include <filesystem>
#include <string>

#include "poise/base/agree.hpp"
#include "poise/base/version.hpp"
#include "poise/run/stored_run.hpp"
#include "poise_spectrum/sections.hpp"

namespace poise::spectrum {
namespace {

/// Before the long part.
void require_place(MPI_Comm comm, const std::string& path) {
  if (path.empty()) return;
  on_root(comm, [&] {
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    if (std::filesystem::is_directory(path)) throw bad_input("-json " + path + ": is a directory");
    if (!parent.empty() && !std::filesystem::is_directory(parent))
      throw bad_input("-json " + path + ": there is no directory " + parent.string());
  });
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
  table.fact("m", static_cast<double>(layout.width()));
  table.fact("q", static_cast<double>(layout.outputs()));
  table.fact("samples", static_cast<double>(experiment.problem().train.total));
  table.fact("ranks", static_cast<double>(grid.size()));
  table.fact("grid", std::to_string(grid.feature_ranks()) + "x" + std::to_string(grid.sample_ranks()));
  if (grid.rank() != 0) return;
  std::printf("poise-spectrum %s: %s\n  step %lld, t = %s; %s, m = %lld, q = %lld; %d = %d x %d ranks\n",
              version().c_str(), checkpoint.c_str(), static_cast<long long>(step), to_text(t).c_str(),
              (model ? run.network.model : run.network.objective).c_str(),
              static_cast<long long>(layout.width()), static_cast<long long>(layout.outputs()), grid.size(),
              grid.feature_ranks(), grid.sample_ranks());
  std::printf("  %-23s %-28s %-8s  %s\n", "quantity", "value", "residual", "theory");
}

}  // namespace

ExitCode spectrum(Options& options, MPI_Comm comm) {
  const SpectrumSettings settings = SpectrumSettings::from(options);
  require_place(comm, settings.json);
  const Checkpoint checkpoint = open_stored_run(comm, options);
  TrainSettings run = recall_settings(options, checkpoint);
  run.audit = false;  // its eigenvectors are not needed, and not every run has them
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

}  // namespace poise::spectrum
