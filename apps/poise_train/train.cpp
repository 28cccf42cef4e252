#include "poise_train/train.hpp"

#include <hdf5.h>
#include <slepcsys.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/version.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/io/run_file.hpp"
#include "poise/linalg/blas.hpp"
#include "poise_train/experiment.hpp"
#include "poise_train/report.hpp"
#include "poise_train/resume.hpp"
#include "poise_train/settings.hpp"
#include "poise_train/stop_request.hpp"

namespace poise {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

Error usage(const std::string& message) {
  return {ExitCode::bad_input, message, true};
}

std::string date(const char* format) {
  const std::time_t now = std::time(nullptr);
  char text[64];
  std::strftime(text, sizeof text, format, std::gmtime(&now));
  return text;
}

/// The run directory's name; the clock is rank 0's.
std::string run_path(MPI_Comm comm, const TrainSettings& settings) {
  if (!settings.run.empty()) return settings.run;
  return broadcast(comm,
                   "runs/" + std::filesystem::path(settings.data).stem().string() + date("-%Y%m%d-%H%M%S"));
}

RunFile::Named provenance(const Experiment& experiment) {
  char host[MPI_MAX_PROCESSOR_NAME] = "";
  int length = 0;
  check_mpi(MPI_Get_processor_name(host, &length));
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  check_mpi(MPI_Get_library_version(mpi, &length));
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  const auto dotted = [](auto a, auto b, auto c) {
    return std::to_string(a) + "." + std::to_string(b) + "." + std::to_string(c);
  };
  const ProcessGrid& grid = experiment.grid();
  return {{"version", version()},
          {"git", git_commit()},
          {"petsc", dotted(PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, PETSC_VERSION_SUBMINOR)},
          {"slepc", dotted(SLEPC_VERSION_MAJOR, SLEPC_VERSION_MINOR, SLEPC_VERSION_SUBMINOR)},
          {"hdf5", dotted(major, minor, release)},
          {"mpi", std::string(mpi)},
          {"ranks", Index{grid.size()}},
          {"grid", std::to_string(grid.feature_ranks()) + "x" + std::to_string(grid.sample_ranks())},
          {"m", experiment.layout().width()},
          {"q", experiment.layout().outputs()},
          {"host", std::string(host)},
          {"started", date("%Y-%m-%dT%H:%M:%SZ")}};
}

/// One training run: what happens at every step, and what is written where.
class Run {
 public:
  Run(Experiment& experiment, const TrainSettings& settings, const Options& options,
      const RunDirectory& directory, const History& past)
      : experiment_(experiment),
        settings_(settings),
        directory_(directory),
        config_(options.resolved()),
        report_(experiment, settings, directory.path()),
        file_(experiment.grid().world(), directory.run_file(), HistoryRow::columns(), provenance(experiment),
              config_, past),
        seconds_before_(past.rows.empty() ? 0.0 : past.column("wall_seconds").back()) {}

  ExitCode go() {
    report_.header();
    start_ = MPI_Wtime();
    StopReason reason = StopReason::stopped_by_observer;
    try {
      reason = experiment_.dynamics().run(
          experiment_.theta(), experiment_.state(),
          [this](const DynamicsState& state, Vec, Vec gradient, const Evaluation& evaluation) {
            return observe(state, gradient, evaluation);
          });
    } catch (const Error& error) {
      if (error.collective()) file_.flush();  // the history up to here is not lost
      throw;
    }
    if (last_saved_ != experiment_.state().step) save();
    file_.flush();
    if (recorded_ > 0) {
      report_.row(last_, true);
      report_.summary(first_, last_, reason, MPI_Wtime() - start_);
    }
    require_held();
    return asked_to_stop_ ? ExitCode::requeue : ExitCode::done;
  }

 private:
  bool observe(const DynamicsState& state, Vec gradient, const Evaluation& evaluation) {
    bool held = true;
    if (state.step % settings_.audit_every == 0) held = record(state, gradient, evaluation);
    asked_to_stop_ = stop_requested(experiment_.grid().world());
    const bool due =
        settings_.checkpoint_every > 0 && state.step % settings_.checkpoint_every == 0 && state.step > 0;
    if (due || asked_to_stop_ || !held) save();
    return held && !asked_to_stop_;
  }

  bool record(const DynamicsState& state, Vec gradient, const Evaluation& evaluation) {
    HistoryRow row;
    row.step = static_cast<double>(state.step);
    row.t = state.t;
    check(VecNorm(gradient, NORM_2, &row.grad_norm));
    const Score train = experiment_.train_score(evaluation);
    const bool tested = experiment_.problem().test.total > 0;
    const Score test = experiment_.objective().test(experiment_.theta());
    row.loss = train.loss;
    row.train_accuracy = train.accuracy;
    row.test_loss = tested ? test.loss : nan;
    row.test_accuracy = tested && experiment_.has_accuracy() ? test.accuracy : nan;
    row.equilibrium_iterations = static_cast<double>(evaluation.equilibrium.iterations);
    row.adjoint_iterations = static_cast<double>(evaluation.adjoint.iterations);
    bool held = true;
    if (LiveAudit* audit = experiment_.audit()) {
      const AuditPoint point =
          audit->observe(state.step, state.t, experiment_.theta(), row.grad_norm, state.local_error_sum);
      row.loss = point.sample.loss;
      row.loss_excess = audit->reference() != nullptr ? point.sample.excess : nan;
      row.lambda_min = point.sample.lambda_min;
      row.lambda_T = point.row.lambda_T;
      row.lambda_floor = point.row.floor;
      row.kappa = audit->constants().kappa;
      row.kappa_measured = point.row.kappa_measured;
      row.bound = point.row.bound;
      row.bound_integrated = point.row.bound_integrated;
      held = point.row.held;
    } else {
      row.loss_excess = row.lambda_min = row.lambda_T = row.lambda_floor = row.kappa = nan;
      row.kappa_measured = row.bound = row.bound_integrated = nan;
    }
    row.wall_seconds = seconds_before_ + MPI_Wtime() - start_;
    file_.append(row.values());
    if (recorded_++ == 0) first_ = row;
    last_ = row;
    report_.row(row, false);
    return held;
  }

  void require_held() const {
    if (experiment_.audit() == nullptr || experiment_.audit()->rates().held()) return;
    throw Error(
        ExitCode::failed,
        experiment_.audit()->rates().verdict() +
            (settings_.dynamics == "descent"
                 ? "; descent follows the flow with small steps only: reduce -step_size"
                 : "; is the integrator's error estimate right? Reduce -flow_ts_rtol and -flow_ts_atol") +
            "; " + directory_.run_file() + " holds the history up to there",
        true);
  }

  void save() {
    static const LogEvent event("Checkpoint");
    const auto scope = event.begin();
    file_.flush();  // history first: a checkpoint must not be ahead of it
    Snapshot snapshot;
    experiment_.save(snapshot);
    snapshot.add_integer("/state", "seed", static_cast<Index>(settings_.seed));
    snapshot.config = config_;
    write_checkpoint(experiment_.grid().world(), directory_.checkpoints(), experiment_.state().step, snapshot,
                     static_cast<int>(settings_.checkpoint_keep));
    last_saved_ = experiment_.state().step;
  }

  Experiment& experiment_;
  const TrainSettings& settings_;
  const RunDirectory& directory_;
  std::vector<std::pair<std::string, std::string>> config_;
  Report report_;
  RunFile file_;
  double seconds_before_;
  double start_ = 0.0;
  HistoryRow first_, last_;
  Index recorded_ = 0;
  Index last_saved_ = -1;
  bool asked_to_stop_ = false;
};

}  // namespace

ExitCode train(Options& options, MPI_Comm comm) {
  recall_options(comm);
  const TrainSettings settings = TrainSettings::from(options);
  if (settings.data.empty())
    throw usage(
        "-data FILE is missing; data/digits.h5 comes with Poise, poise-data makes others (-help lists all "
        "options)");

  // Nothing is created before the input has been read and every option is known.
  const std::string path = run_path(comm, settings);
  std::optional<RunDirectory> directory;
  FoundCheckpoint found;
  History past;
  if (settings.resume) {
    directory.emplace(comm, path);
    found = find_checkpoint(comm, *directory);
    require_same_run(*found.checkpoint, options);
    past = RunFile::load(comm, directory->run_file());
  }
  declare_solvers(options);
  Experiment experiment(comm, settings, found.checkpoint ? &*found.checkpoint : nullptr);
  found.checkpoint.reset();
  options.reject_unknown();
  warn_about_blas(comm);
  if (!settings.resume) {
    directory.emplace(comm, path);
    if (directory->held_run())
      throw usage("-run " + path +
                  " already holds a run: go on with it by -resume, or choose another directory");
  }
  // A resumed run writes them too: the next -resume must know a changed end time.
  directory->write_options(options_text(options.resolved()));
  std::erase_if(past.rows, [&, step = std::find(past.columns.begin(), past.columns.end(), "step") -
                                      past.columns.begin()](const auto& row) {
    return row[step] > static_cast<double>(found.step);
  });
  Run run(experiment, settings, options, *directory, past);
  return run.go();
}

}  // namespace poise
