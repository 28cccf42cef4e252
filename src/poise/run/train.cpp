#include "poise/run/train.hpp"

#include <filesystem>
#include <optional>

#include "poise/base/clock.hpp"
#include "poise/base/error.hpp"
#include "poise/base/output.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/io/run_file.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/petsc/session.hpp"
#include "poise/run/ensemble.hpp"
#include "poise/run/ensemble_plan.hpp"
#include "poise/run/experiment.hpp"
#include "poise/run/interruptions.hpp"
#include "poise/run/provenance.hpp"
#include "poise/run/resume.hpp"
#include "poise/run/run.hpp"
#include "poise/run/run_options.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/start_from.hpp"
#include "poise/run/train_rules.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
namespace {

std::string run_path(MPI_Comm comm, const TrainSettings& settings) {
  if (!settings.run.empty()) return settings.run;
  return make_dated_directory(comm, std::filesystem::path(settings.data).stem().string());
}

}  // namespace

ExitCode train(Options& options, MPI_Comm comm, bool own_log) {
  const auto stage = Stages::get().setup.begin();
  std::vector<std::string> recalled = recall_options(comm);
  std::optional<Checkpoint> start = open_start(comm);
  if (start) recalled = recall_network(*start);
  const TrainSettings settings = TrainSettings::from(options, recalled);
  require_effect(options, train_solver_rules(), recalled);
  if (settings.data.empty())
    throw usage(
        "-data FILE is missing; data/digits.h5 comes with Poise, poise-data makes others (-help lists all "
        "options)");

  Interruptions interruptions(comm, settings.deadline, settings.checkpoint_seconds);  // its clock starts here

  // Nothing is created before the input has been read and unknown options were rejected.
  std::optional<RunDirectory> directory;
  FoundCheckpoint found;
  History past;
  if (settings.resume) {
    const auto reading = Stages::get().checkpoints.begin();
    directory.emplace(comm, settings.run, RunDirectory::Start::resume);
    found = find_checkpoint(comm, *directory);
    require_same_run(*found.checkpoint, options, *settings.dynamics);
  }
  if (start) require_same_network(*start, options);
  declare_train_solvers(options);
  Experiment experiment(comm, settings, found.checkpoint ? &*found.checkpoint : nullptr,
                        start ? &*start : nullptr);
  found.checkpoint.reset();
  start.reset();
  options.reject_unknown();
  warn_about_blas(comm);
  if (settings.resume)
    past = find_history(comm, *directory, found.step, experiment.record_every());
  else
    directory.emplace(comm, run_path(comm, settings), RunDirectory::Start::anew);
  directory->clear_done();  // before the options: the old DONE does not stand for the new end
  if (own_log)
    keep_log(comm, directory->path() + "/log.txt",
             "# " + date("%Y-%m-%dT%H:%M:%SZ") + " " + command_line() + "\n");
  // A resumed run writes its options, too, so that the next -resume knows a changed end time. A run that is
  // already past the new end time does not.
  if (!experiment.at_end()) directory->write_options(options_text(options, "poise-train", "the run"));
  Run run(experiment, settings, options, *directory, interruptions, past);
  return run.go();
}

namespace {

constexpr const char* train_usage =
    "poise-train: trains a deep equilibrium model and checks Theorem 1 while it runs\n"
    "  mpirun -n 2 poise-train -data data/digits.h5 -gamma 0.8 -time 6 -run runs/digits\n"
    "  mpirun -n 3 poise-train -run runs/digits -resume -time 12\n"
    "  mpirun -n 4 poise-train -ensemble table.txt -ensemble_ranks 2 -data data/digits.h5 -run runs/many\n"
    "  mpirun -n 4 poise-train -grid \"gamma=0.5,0.9 seed=0:4\" -data data/digits.h5 -run runs/grid";

ExitCode train_one_or_many(Options& options, MPI_Comm comm) {
  Options early;  // of the ensemble; a training declares its own options
  EnsembleSettings ensemble = EnsembleSettings::from(early);
  ensemble.read_run(early);
  ensemble.recall(comm);
  if (ensemble.given()) return train_ensemble(comm, ensemble);
  if (given_value("ensemble_ranks"))
    throw usage(
        "-ensemble_ranks is for many trainings at once: give their table with -ensemble FILE or -grid");
  return train(options, comm);
}

}  // namespace

int train_main(int argc, char** argv) {
  listen_for_requests();
  return run_options_program(argc, argv, train_usage, declare_train_program, train_one_or_many);
}

}  // namespace run
}  // namespace poise
