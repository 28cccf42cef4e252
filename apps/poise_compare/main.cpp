#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/ensemble.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/petsc/session.hpp"
#include "poise/run/usage.hpp"
#include "poise_compare/output.hpp"
#include "poise_compare/settings.hpp"

namespace poise::compare {
namespace {

constexpr const char* compare_usage =
    "poise-compare: the implicit model, its truncations, a shallow and a feedforward network on the same "
    "data\n"
    "  mpirun -n 2 poise-compare -options_file petsc_opts/compare_digits.opts -run runs/compare\n"
    "  python3 apps/plot_run.py runs/compare";

void require_fitting(MPI_Comm comm, const CompareSettings& settings) {
  if (settings.problem.data.empty())
    throw usage(
        "-data FILE is missing; data/digits.h5 comes with Poise, poise-data makes others (-help lists all "
        "options)");
  int ranks = 1;
  check_mpi(MPI_Comm_size(comm, &ranks));
  if (ranks % settings.member_ranks != 0)
    throw usage(fmt::format("-member_ranks {} does not divide the {} ranks of this run; choose a divisor",
                            settings.member_ranks, ranks));
}

void require_fitting_width(const CompareSettings& settings, Index features) {
  for (const ModelSpec& model : settings.models()) {
    const Index width = settings.feedforward_width;
    if (model.kind == ModelSpec::Kind::feedforward && model.linear() && settings.matched && width != 0 &&
        width != features)
      throw usage(
          fmt::format("-feedforward_width {}: identity layers that match W0 have the width of the {} "
                      "features; leave it out, or give -feedforward_init random",
                      width, features));
  }
}

Study describe(const CompareSettings& settings, const TrainingData& data) {
  Study study;
  study.models = settings.models();
  study.times = settings.times();
  study.seeds = settings.seeds;
  study.first_seed = static_cast<Index>(settings.problem.seed);
  study.samples = data.problem().train.total;
  study.test_samples = data.problem().test.total;
  study.features = data.features().width();
  study.outputs = data.problem().outputs;
  study.gamma = settings.gamma;
  return study;
}

/// Collective. Trains every member, each on a group of ranks.
void train_members(MPI_Comm comm, const CompareSettings& settings, Study& study) {
  std::vector<double> costs;
  for (const ModelSpec& model : study.models) costs.insert(costs.end(), settings.seeds, model.cost());
  const auto results = run_members(comm, settings.member_ranks, costs, [&](MPI_Comm group, Index member) {
    const ModelSpec& model = study.models[static_cast<std::size_t>(member / settings.seeds)];
    return run_member(group, settings, model, settings.seed(member % settings.seeds)).packed();
  });
  for (std::size_t k = 0; k < results.size(); ++k) {
    const ModelSpec& model = study.models[k / static_cast<std::size_t>(settings.seeds)];
    const Index weight_size = model.linear() ? study.outputs * study.features : 0;
    study.errors.push_back(results[k].error);
    study.members.push_back(results[k].error.empty()
                                ? MemberRecord::unpacked(results[k].values, study.times.size(),
                                                         static_cast<std::size_t>(weight_size))
                                : MemberRecord{});
  }
}

std::string study_path(MPI_Comm comm, const CompareSettings& settings) {
  if (!settings.run.empty()) return settings.run;
  return make_dated_directory(comm,
                              "compare-" + std::filesystem::path(settings.problem.data).stem().string());
}

/// Collective. All of poise-compare: reads the options database, trains every model from every seed, writes
/// DIR/compare.h5 and DIR/options.txt, prints the tables. Returns failed if a member failed; the others are
/// written and reported all the same. Throws Error.
ExitCode compare(Options& options, MPI_Comm comm) {
  const CompareSettings settings = CompareSettings::from(options);
  declare_compare_solvers(options);
  require_fitting(comm, settings);
  Study study;
  CompareReference reference;
  {
    const ProcessGrid grid(comm);
    const TrainingData data(grid, settings.problem, nullptr);
    require_fitting_width(settings, data.features().width());
    reference = make_reference(grid, data, settings);
    study = describe(settings, data);
  }
  options.reject_unknown();
  warn_about_blas(comm);
  // Nothing is created before the input has been read and every option is known.
  const StudyDirectory directory(comm, study_path(comm, settings));
  directory.write_options(options.resolved());
  train_members(comm, settings, study);
  on_root(comm, [&] {
    measure_paths(study, reference);
    std::printf("%s", study_report(study, reference, settings).c_str());
  });
  directory.write(study, options.resolved(), settings.save_weights);
  const std::string failures = failures_of(study);
  if (!failures.empty()) throw Error(ExitCode::failed, "members of the study have failed: " + failures, true);
  on_root(comm, [&] {
    std::printf("%s/compare.h5; figures: python3 apps/plot_run.py %s\n", directory.path().c_str(),
                directory.path().c_str());
  });
  return ExitCode::done;
}

}  // namespace
}  // namespace poise::compare

int main(int argc, char** argv) {
  return poise::run_options_program(
      argc, argv, poise::compare::compare_usage,
      [](poise::Options& options) {
        (void)poise::compare::CompareSettings::from(options);
        poise::compare::declare_compare_solvers(options);
      },
      poise::compare::compare);
}
