#include <gtest/gtest.h>

#include "poise/base/check.hpp"
#include "poise/dynamics/dynamics_kind.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/run_file.hpp"
#include "poise/petsc/options_database.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/run/train.hpp"
#include "unit/io/temporary_folder.hpp"

namespace poise {
namespace {

/// v ← v/2 + g, θ ← θ − ηv: the smallest dynamics that implements all that is required.
class Rolling final : public Dynamics {
 public:
  Rolling(const DynamicsSetup& setup, double step_size)
      : setup_(setup),
        step_size_(step_size),
        velocity_(duplicate(setup.theta_like)),
        gradient_(duplicate(setup.theta_like)) {}

  StopReason run(Vec theta, DynamicsState& state, const Observer& observer) override {
    if (state.step == 0) check(VecSet(velocity_.get(), 0.0));
    for (;;) {
      const Evaluation evaluation = setup_.objective.value_and_gradient(theta, gradient_.get());
      if (!state.shown) {
        ++state.gradients;
        state.shown = true;
        if (!observer(state, theta, gradient_.get(), evaluation)) return StopReason::stopped_by_observer;
      }
      if (state.step >= setup_.max_steps) return StopReason::reached_steps;
      if (state.t >= setup_.end_time) return StopReason::reached_time;
      check(VecAXPBY(velocity_.get(), 1.0, 0.5, gradient_.get()));
      check(VecAXPY(theta, -step_size_, velocity_.get()));
      state.t += step_size_;
      ++state.step;
      state.shown = false;
    }
  }
  std::vector<std::pair<std::string, Vec>> vectors() override { return {{"velocity", velocity_.get()}}; }

 private:
  DynamicsSetup setup_;
  double step_size_;
  VecHandle velocity_, gradient_;
};

class RollingKind final : public DynamicsKind {
 public:
  [[nodiscard]] std::string name() const override { return "rolling"; }
  [[nodiscard]] std::string help() const override { return "downhill with -rolling_step"; }
  [[nodiscard]] std::unique_ptr<Dynamics> make(const DynamicsSetup& setup) const override {
    return std::make_unique<Rolling>(setup, step_size_);
  }
  void read(Options& options) override {
    step_size_ = options.real("rolling_step", 0.1, {0, 1, true}, "rolling: step size");
  }

 private:
  double step_size_ = 0.1;
};

/// Registers the dynamics once, for all tests of this program.
[[maybe_unused]] const bool registered = [] {
  register_dynamics<RollingKind>();
  return true;
}();

/// Options of a training with warm starts, which a checkpoint must not hold.
NamedOptions training(const std::string& run, const std::string& steps) {
  return {{"data", POISE_SOURCE_DIR "/data/digits.h5"},
          {"train_samples", "60"},
          {"model", "pointwise"},
          {"width", "12"},
          {"run", run},
          {"steps", steps},
          {"checkpoint_every", "4"},
          {"checkpoint_keep", "0"}};
}

NamedOptions with(NamedOptions options, const NamedOptions& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

ExitCode trained(const NamedOptions& list) {
  const OwnOptions scope(list);  // -resume also sets the options of the run
  Options options;
  testing::internal::CaptureStdout();
  try {
    const ExitCode code = train(options, MPI_COMM_WORLD);
    (void)testing::internal::GetCapturedStdout();
    return code;
  } catch (...) {
    (void)testing::internal::GetCapturedStdout();
    throw;
  }
}

std::vector<double> velocity_at(const std::string& run, Index step) {
  const Checkpoint checkpoint(MPI_COMM_WORLD, checkpoint_path(run + "/checkpoints", step));
  return checkpoint.read_array("/dynamics/velocity/B", checkpoint.dims("/dynamics/velocity/B"));
}

TEST(OwnDynamics, ARunThatGoesOnEqualsTheStraightOne) {
  const TemporaryFolder folder;
  const NamedOptions rolling{{"dynamics", "rolling"}, {"rolling_step", "0.2"}};
  EXPECT_EQ(trained(with(training(folder / "straight", "12"), rolling)), ExitCode::done);
  EXPECT_EQ(trained(with(training(folder / "parts", "8"), rolling)), ExitCode::done);
  EXPECT_EQ(trained({{"run", folder / "parts"}, {"resume", "true"}, {"steps", "12"}}), ExitCode::done);
  const History straight = RunFile::load(MPI_COMM_WORLD, folder / "straight/run.h5");
  const History parts = RunFile::load(MPI_COMM_WORLD, folder / "parts/run.h5");
  for (const char* column : {"step", "t", "loss", "grad_norm", "test_loss"})
    EXPECT_EQ(straight.column(column), parts.column(column)) << column;
  EXPECT_LT(straight.column("loss").back(), 0.9 * straight.column("loss").front());
  EXPECT_EQ(velocity_at(folder / "straight", 12), velocity_at(folder / "parts", 12));
}

TEST(OwnDynamics, ItsOptionsAreItsOwnAndFixed) {
  const TemporaryFolder folder;
  const NamedOptions start = training(folder / "run", "4");
  const std::string other = message_of([&] { trained(with(start, {{"rolling_step", "0.2"}})); });
  EXPECT_NE(other.find("give -dynamics rolling"), std::string::npos) << other;
  const std::string audited = message_of([&] {
    trained({{"data", POISE_SOURCE_DIR "/data/digits.h5"}, {"dynamics", "rolling"}, {"audit", "true"}});
  });
  EXPECT_NE(audited.find("this run has -dynamics rolling"), std::string::npos) << audited;
  EXPECT_EQ(trained(with(start, {{"dynamics", "rolling"}})), ExitCode::done);
  const std::string changed = message_of([&] {
    trained({{"run", folder / "run"}, {"resume", "true"}, {"steps", "8"}, {"rolling_step", "0.3"}});
  });
  EXPECT_NE(changed.find("option -rolling_step is 0.3"), std::string::npos) << changed;
}

TEST(OwnDynamics, IsListedBehindTheOthers) {
  const DynamicsKinds kinds;
  EXPECT_EQ(kinds.names(), (std::vector<std::string>{"flow", "descent", "minimise", "rolling"}));
  EXPECT_NE(kinds.help().find("; rolling: downhill with -rolling_step"), std::string::npos);
  EXPECT_EQ(kinds.names_where(&DynamicsKind::takes_minibatches), std::vector<std::string>{"descent"});
}

}  // namespace
}  // namespace poise
