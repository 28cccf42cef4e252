#include <fmt/format.h>

#include <cstdio>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/io/dataset.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/petsc/session.hpp"
#include "poise/run/provenance.hpp"
#include "poise/run/training_data.hpp"
#include "poise/run/usage.hpp"
#include "poise_sweep/settings.hpp"
#include "poise_sweep/study.hpp"

namespace poise::sweep {
namespace {

constexpr const char* sweep_usage =
    "poise-sweep: many small runs at the same time on groups of ranks, one table\n"
    "  mpirun -n 2 poise-sweep -study width -data data/digits.h5 -widths 2,4,8 -run runs/widths\n"
    "  mpirun -n 2 poise-sweep -study step_size -data data/digits.h5 -run runs/steps\n"
    "  plot_run.py runs/widths";

/// Collective. Refuses data that no member could run with, before anything runs.
void require_fitting_data(MPI_Comm comm, const SweepSettings& settings) {
  if (settings.base.data.empty())
    throw usage(
        "-data FILE is missing; data/digits.h5 comes with Poise, poise-data makes others (-help lists all "
        "options)");
  const DatasetInfo info = Dataset(comm, find_data(comm, settings.base.data, nullptr)).info();
  const Index constant = settings.base.features.constant ? 1 : 0;
  if (!settings.base.features.map->linear()) return;
  for (const double m : settings.widths)
    if (m > static_cast<double>(info.inputs + constant))
      throw usage(fmt::format("-widths {}: {} has only {}{}", to_text(m), settings.base.data,
                              plural(info.inputs, "input"), constant == 1 ? " and the constant" : ""));
}

/// Collective. Makes the solvers of the first member that can be made, so that misspelt options are found
/// before the members run. An error here comes again in the member and is reported there.
void rehearse(MPI_Comm comm, const Study& study) {
  for (const auto& parameters : study.members) {
    try {
      study.rehearse(comm, parameters);
      return;
    } catch (const Error& error) {
      if (!error.collective()) throw;
    }
  }
}

std::string options_text(const RunFile::Config& resolved) {
  std::string text = "# poise-sweep -options_file THIS_FILE -run DIR repeats the sweep\n";
  for (const auto& [name, value] : resolved)
    if (name != "run" && !value.empty()) text += fmt::format("-{} {}\n", name, value);
  return text;
}

/// Collective. The directory of the results.
std::string sweep_path(MPI_Comm comm, const SweepSettings& settings) {
  return settings.base.run.empty() ? make_dated_directory(comm, "sweep-" + settings.study)
                                   : settings.base.run;
}

void print_header(const SweepSettings& settings, const Study& study, int ranks, const std::string& path) {
  std::printf("poise-sweep: study %s on %s, %s on %s of %s; results in %s\n\n", settings.study.c_str(),
              settings.base.data.c_str(), plural(static_cast<Index>(study.members.size()), "member").c_str(),
              plural(ranks / settings.member_ranks, "group").c_str(),
              plural(settings.member_ranks, "rank").c_str(), path.c_str());
  std::fflush(stdout);
}

/// Collective. The program poise-sweep: runs the members of a study on sub-communicators, writes DIR/sweep.h5
/// and DIR/options.txt, prints one table and a verdict. Returns failed if a member failed or what must hold
/// did not; throws bad_input.
ExitCode run_sweep(Options& options, MPI_Comm comm) {
  const SweepSettings settings = SweepSettings::from(options);
  declare_sweep_solvers(options);
  require_fitting_data(comm, settings);
  int rank = 0;
  int ranks = 1;
  check_mpi(MPI_Comm_rank(comm, &rank));
  check_mpi(MPI_Comm_size(comm, &ranks));
  if (ranks % settings.member_ranks != 0)
    throw usage(fmt::format("-member_ranks {} does not divide the {} ranks of this run; choose a divisor",
                            settings.member_ranks, ranks));
  const Study study = make_study(settings);
  rehearse(comm, study);
  options.reject_unknown();
  warn_about_blas(comm);
  const std::string path = sweep_path(comm, settings);
  const RunLock lock = make_study_directory(comm, path);
  if (rank == 0) print_header(settings, study, ranks, path);
  const RunFile::Config config = options.resolved();
  RunFile::Named attributes = provenance(comm);

  const double start = steady_seconds();
  const std::vector<MemberResult> done = run_members(
      comm, settings.member_ranks, study.costs,
      [&](MPI_Comm group, Index k) { return study.run(group, study.members[static_cast<std::size_t>(k)]); });
  const double seconds = steady_seconds() - start;

  Table table(study.parameters, study.results, study.members, done);
  study.compare(table);
  const Verdict verdict = study.verdict(table);
  attributes.insert(attributes.end(), {{"study", settings.study},
                                       {"data", settings.base.data},
                                       {"member_ranks", Index{settings.member_ranks}},
                                       {"seconds", seconds},
                                       {"verdict", verdict.text}});
  on_root(comm, [&] {
    replace_file(path + "/options.txt", options_text(config));
    write_sweep(path + "/sweep.h5", table, attributes, config);
    const std::string failed =
        table.failures() == 0 ? "" : fmt::format("; {} failed", of_members(table.failures(), table.rows()));
    std::printf("%s\n%s in %.1f s on %s\nverdict: %s%s\n", table_text(study, table).c_str(),
                plural(static_cast<Index>(table.rows()), "member").c_str(), seconds,
                plural(ranks, "rank").c_str(), verdict.text.c_str(), failed.c_str());
  });
  return verdict.held && table.failures() == 0 ? ExitCode::done : ExitCode::failed;
}

}  // namespace
}  // namespace poise::sweep

int main(int argc, char** argv) {
  return poise::run_options_program(
      argc, argv, poise::sweep::sweep_usage,
      [](poise::Options& options) {
        (void)poise::sweep::SweepSettings::from(options);
        poise::sweep::declare_sweep_solvers(options);
      },
      poise::sweep::run_sweep);
}
