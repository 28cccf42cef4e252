#include <fmt/format.h>

#include <cstdio>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/io/dataset.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/petsc/session.hpp"
#include "poise/run/interruptions.hpp"
#include "poise/run/provenance.hpp"
#include "poise/run/study_run.hpp"
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
    "  mpirun -n 3 poise-sweep -run runs/widths -resume\n"
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
/// before the members run. An error here comes again in the member and is reported there. Returns the
/// fingerprint of the samples; if no member can be made, an empty text.
std::string rehearse(MPI_Comm comm, const Study& study) {
  for (const auto& parameters : study.members) {
    try {
      return study.rehearse(comm, parameters);
    } catch (const Error& error) {
      if (!error.collective()) throw;
    }
  }
  return {};
}

/// Collective. The directory of the results.
std::string sweep_path(MPI_Comm comm, const SweepSettings& settings) {
  return settings.invocation.run.empty() ? make_dated_directory(comm, "sweep-" + settings.study)
                                         : settings.invocation.run;
}

void print_header(const SweepSettings& settings, const Study& study, int ranks, const std::string& path) {
  const int member_ranks = settings.invocation.member_ranks;
  std::printf("poise-sweep: study %s on %s, %s on %s of %s; results in %s\n\n", settings.study.c_str(),
              settings.base.data.c_str(), plural(static_cast<Index>(study.members.size()), "member").c_str(),
              plural(ranks / member_ranks, "group").c_str(), plural(member_ranks, "rank").c_str(),
              path.c_str());
  std::fflush(stdout);
}

void declare(Options& options) {
  (void)SweepSettings::from(options);
  declare_sweep_solvers(options);
}

std::vector<std::string> labels_of(const Study& study) {
  std::vector<std::string> labels;
  for (const auto& parameters : study.members) labels.push_back(label_of(study.parameters, parameters));
  return labels;
}

/// Collective. Writes DIR/sweep.h5, prints the table and the verdict.
ExitCode report(MPI_Comm comm, const SweepSettings& settings, const Study& study, const StudyRun& run,
                const std::vector<MemberResult>& done, const RunFile::Config& config,
                RunFile::Named attributes, double seconds) {
  Table table(study.parameters, study.results, study.members, done);
  study.compare(table);
  const Verdict verdict = study.verdict(table);
  attributes.insert(attributes.end(), {{"study", settings.study},
                                       {"data", settings.base.data},
                                       {"member_ranks", Index{settings.invocation.member_ranks}},
                                       {"seconds", seconds},
                                       {"verdict", verdict.text}});
  for (auto& attribute : study_outcome(table.failures(), verdict.held))
    attributes.push_back(std::move(attribute));
  on_root(comm, [&] {
    write_sweep(run.file(), table, attributes, config);
    const std::string failed =
        table.failures() == 0 ? "" : fmt::format("; {} failed", of_members(table.failures(), table.rows()));
    int ranks = 1;
    check_mpi(MPI_Comm_size(comm, &ranks));
    std::printf("\n%s\n%s in %.1f s on %s\nverdict: %s%s\n", table_text(study, table).c_str(),
                plural(static_cast<Index>(table.rows()), "member").c_str(), seconds,
                plural(ranks, "rank").c_str(), verdict.text.c_str(), failed.c_str());
  });
  run.finish(done);
  return verdict.held && table.failures() == 0 ? ExitCode::done : ExitCode::failed;
}

/// Collective. The program poise-sweep: runs the members of a study on sub-communicators, writes DIR/sweep.h5
/// and DIR/options.txt, prints one table and a verdict. Returns failed if a member failed or what must hold
/// did not, requeue if it was stopped; throws bad_input.
ExitCode run_sweep(Options& options, MPI_Comm comm) {
  const std::vector<std::string> recalled = recall_study(comm, "poise-sweep", declare);
  SweepSettings settings = SweepSettings::from(options, recalled);
  declare_sweep_solvers(options);
  if (const auto code = study_is_done(comm, settings.invocation, options, "poise-sweep", "sweep.h5"))
    return *code;
  require_fitting_data(comm, settings);
  const int ranks = settings.invocation.require_fitting(comm);
  const Study study = make_study(settings);
  const std::string fingerprint = rehearse(comm, study);
  options.reject_unknown();
  warn_about_blas(comm);
  settings.invocation.run = sweep_path(comm, settings);
  StudyRun run(comm, settings.invocation, options,
               {"poise-sweep", "sweep.h5", labels_of(study), study.costs, fingerprint});
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  if (rank == 0) print_header(settings, study, ranks, run.path());
  const RunFile::Config config = options.resolved();
  const RunFile::Named attributes = provenance(comm);

  const double start = steady_seconds();
  const auto done = run.run(
      [&](MPI_Comm group, Index k, Interruptions& requests) {
        return study.run(group, study.members[static_cast<std::size_t>(k)], requests);
      },
      [&](Index, const std::vector<double>& results) { return result_text(study, results); });
  if (!done) return ExitCode::requeue;
  return report(comm, settings, study, run, *done, config, attributes, steady_seconds() - start);
}

}  // namespace
}  // namespace poise::sweep

int main(int argc, char** argv) {
  poise::listen_for_requests();
  return poise::run_options_program(argc, argv, poise::sweep::sweep_usage, poise::sweep::declare,
                                    poise::sweep::run_sweep);
}
