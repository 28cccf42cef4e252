#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/text.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/petsc/session.hpp"
#include "poise/run/interruptions.hpp"
#include "poise/run/study_run.hpp"
#include "poise/run/usage.hpp"
#include "poise_compare/output.hpp"
#include "poise_compare/settings.hpp"

namespace poise::compare {
namespace {

constexpr const char* compare_usage =
    "poise-compare: the implicit model, its truncations, a shallow and a feedforward network on the same "
    "data\n"
    "  mpirun -n 2 poise-compare -options_file petsc_opts/compare_digits.opts -run runs/compare\n"
    "  mpirun -n 3 poise-compare -run runs/compare -resume\n"
    "  python3 apps/plot_run.py runs/compare";

void require_fitting(MPI_Comm comm, const CompareSettings& settings) {
  if (settings.problem.data.empty())
    throw usage(
        "-data FILE is missing; data/digits.h5 comes with Poise, poise-data makes others (-help lists all "
        "options)");
  (void)settings.invocation.require_fitting(comm);
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

/// The members of a study, for StudyRun.
StudyRun::About about(const CompareSettings& settings, const Study& study, const std::string& fingerprint) {
  StudyRun::About about{"poise-compare", "compare.h5", {}, {}, fingerprint};
  for (const ModelSpec& model : study.models)
    about.costs.insert(about.costs.end(), settings.seeds, model.cost());
  for (std::size_t place = 0; place < about.costs.size(); ++place) about.names.push_back(study.label(place));
  return about;
}

/// The entries of W of the model of a member; 0 if the model is not linear.
std::size_t weight_size(const Study& study, std::size_t place) {
  const ModelSpec& model = study.models[place / static_cast<std::size_t>(study.seeds)];
  return model.linear() ? static_cast<std::size_t>(study.outputs * study.features) : 0;
}

/// Collective. Trains every member that has no result yet, each on a group of ranks. Returns nothing if a
/// request has stopped the study.
std::optional<std::vector<MemberResult>> train_members(const CompareSettings& settings, const Study& study,
                                                       StudyRun& run) {
  const auto train = [&](MPI_Comm group, Index member, Interruptions& requests) {
    const ModelSpec& model = study.models[static_cast<std::size_t>(member / settings.seeds)];
    return run_member(group, settings, model, settings.seed(member % settings.seeds), requests).packed();
  };
  return run.run(train, [&](Index member, const std::vector<double>& values) {
    const MemberRecord record = MemberRecord::unpacked(values, study.times.size(),
                                                       weight_size(study, static_cast<std::size_t>(member)));
    return fmt::format("train_loss {}, steps {}", brief(record.train_loss.back(), 6), record.steps);
  });
}

void take_results(const std::vector<MemberResult>& results, Study& study) {
  for (std::size_t k = 0; k < results.size(); ++k) {
    study.errors.push_back(results[k].error);
    study.members.push_back(
        results[k].error.empty()
            ? MemberRecord::unpacked(results[k].values, study.times.size(), weight_size(study, k))
            : MemberRecord{});
  }
}

std::string study_path(MPI_Comm comm, const CompareSettings& settings) {
  if (!settings.invocation.run.empty()) return settings.invocation.run;
  return make_dated_directory(comm,
                              "compare-" + std::filesystem::path(settings.problem.data).stem().string());
}

void declare(Options& options) {
  (void)CompareSettings::from(options);
  declare_compare_solvers(options);
}

/// Collective. The study without its members, and what their paths are compared with.
struct Prepared {
  Study study;
  CompareReference reference;
  std::string fingerprint;  ///< of the samples
};

Prepared prepare(MPI_Comm comm, const CompareSettings& settings) {
  const ProcessGrid grid(comm);
  const TrainingData data(grid, settings.problem, nullptr);
  require_fitting_width(settings, data.features().width());
  CompareReference reference = make_reference(grid, data, settings);
  return {describe(settings, data), std::move(reference), data.fingerprint()};
}

/// Collective. All of poise-compare: reads the options database, trains every model from every seed, writes
/// DIR/compare.h5 and DIR/options.txt, prints the tables. Throws failure if a member failed; the others are
/// written and reported all the same. Returns requeue if it was stopped. Throws Error.
ExitCode compare(Options& options, MPI_Comm comm) {
  const std::vector<std::string> recalled = recall_study(comm, "poise-compare", declare);
  CompareSettings settings = CompareSettings::from(options, recalled);
  declare_compare_solvers(options);
  if (const auto code = study_is_done(comm, settings.invocation, options, "poise-compare", "compare.h5"))
    return *code;
  require_fitting(comm, settings);
  Prepared prepared = prepare(comm, settings);
  Study& study = prepared.study;
  options.reject_unknown();
  warn_about_blas(comm);
  // Nothing is created before the input has been read and every option is known.
  settings.invocation.run = study_path(comm, settings);
  StudyRun run(comm, settings.invocation, options, about(settings, study, prepared.fingerprint));
  const auto results = train_members(settings, study, run);
  if (!results) return ExitCode::requeue;
  take_results(*results, study);
  on_root(comm, [&] {
    measure_paths(study, prepared.reference);
    std::printf("\n%s", study_report(study, prepared.reference, settings).c_str());
  });
  write_compare(comm, run.file(), study, options.resolved(), settings.save_weights);
  run.finish(*results);
  const std::string failures = failures_of(study);
  if (!failures.empty())
    throw Error(ExitCode::failed, "members of the study have failed (-resume tries them again): " + failures,
                true);
  on_root(comm, [&] {
    std::printf("%s; figures: python3 apps/plot_run.py %s\n", run.file().c_str(), run.path().c_str());
  });
  return ExitCode::done;
}

}  // namespace
}  // namespace poise::compare

int main(int argc, char** argv) {
  poise::listen_for_requests();
  return poise::run_options_program(argc, argv, poise::compare::compare_usage, poise::compare::declare,
                                    poise::compare::compare);
}
