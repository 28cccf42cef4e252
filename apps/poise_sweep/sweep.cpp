#include "poise_sweep/sweep.hpp"

#include <cstdio>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/io/dataset.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/run/dated_directory.hpp"
#include "poise/run/provenance.hpp"
#include "poise/run/training_data.hpp"
#include "poise/run/usage.hpp"
#include "poise_sweep/report.hpp"
#include "poise_sweep/study.hpp"
#include "poise_sweep/sweep_file.hpp"

namespace poise::sweep {
namespace {

/// Collective. What no member could run with is bad input, before anything runs.
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
      throw usage("-widths " + to_text(m) + ": " + settings.base.data + " has only " +
                  plural(info.inputs, "input") + (constant == 1 ? " and the constant" : ""));
}

/// Collective. Makes the solvers of the first member that can be made, so that misspelt options are found
/// before the long part. What fails here fails again as a member, and is reported there.
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
    if (name != "run" && !value.empty()) text += "-" + name + " " + value + "\n";
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

}  // namespace

ExitCode run_sweep(Options& options, MPI_Comm comm) {
  const SweepSettings settings = SweepSettings::from(options);
  declare_sweep_solvers(options);
  require_fitting_data(comm, settings);
  int rank = 0;
  int ranks = 1;
  check_mpi(MPI_Comm_rank(comm, &rank));
  check_mpi(MPI_Comm_size(comm, &ranks));
  if (ranks % settings.member_ranks != 0)
    throw usage("-member_ranks " + std::to_string(settings.member_ranks) + " does not divide the " +
                std::to_string(ranks) + " ranks of this run");
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
        table.failures() == 0 ? "" : "; " + of_members(table.failures(), table.rows()) + " failed";
    std::printf("%s\n%s in %.1f s on %s\nverdict: %s%s\n", table_text(study, table).c_str(),
                plural(static_cast<Index>(table.rows()), "member").c_str(), seconds,
                plural(ranks, "rank").c_str(), verdict.text.c_str(), failed.c_str());
  });
  return verdict.held && table.failures() == 0 ? ExitCode::done : ExitCode::failed;
}

}  // namespace poise::sweep
