#include "poise/run/stored_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"
#include "poise/run/resume.hpp"
#include "poise/run/run_options.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
namespace {

std::string steps_text(const std::string& folder) {
  std::string text;
  for (const Index step : list_checkpoints(folder))
    text += fmt::format("{}{}", text.empty() ? "" : ", ", step);
  return text.empty() ? "none" : text;
}

/// Collective. Only rank 0 looks at the disk, so that either all ranks fail or none does.
void require_run(MPI_Comm comm, const std::string& run, const std::string& folder, Index step) {
  on_root(comm, [&] {
    if (!std::filesystem::is_directory(run)) throw bad_input("-run " + run + ": there is no such directory");
    if (step >= 0 && !std::filesystem::exists(checkpoint_path(folder, step)))
      throw bad_input(
          fmt::format("-step {}: {} has no such checkpoint; it has: {}", step, folder, steps_text(folder)));
  });
}

}  // namespace

StoredRunName StoredRunName::from(Options& options) {
  StoredRunName name;
  name.run = options.text("run", "", "the run directory to inspect");
  name.checkpoint = options.text("checkpoint", "", "a checkpoint file to inspect, instead of -run");
  name.step = options.integer("step", -1, {-1, 2e9},
                              "step of the checkpoint in -run; -1: the newest valid checkpoint");
  return name;
}

void declare_feature_ranks(Options& options) {
  (void)options.integer("grid_feature_ranks", 1, {1, 1e6},
                        "ranks over which one copy of the weights is spread, a divisor of the number of "
                        "ranks; may differ from the run's value");
}

void declare_stored_run(Options& options) {
  (void)StoredRunName::from(options);
  (void)options.text("data", "",
                     "the data file of the run, if it has moved; if empty: the path that the run used");
  declare_feature_ranks(options);
}

Checkpoint open_stored_run(MPI_Comm comm, Options& options) {
  const StoredRunName name = StoredRunName::from(options);
  if (name.run.empty() == name.checkpoint.empty())
    throw usage(name.run.empty()
                    ? "give -run DIR, the directory of a run, or -checkpoint FILE"
                    : "-run and -checkpoint name two checkpoints; give only one of these options");
  if (!name.checkpoint.empty()) {
    if (name.step >= 0) throw usage("-step belongs to -run; -checkpoint names the file itself");
    return {comm, name.checkpoint};
  }
  const std::string folder = name.run + "/checkpoints";
  require_run(comm, name.run, folder, name.step);
  if (name.step >= 0) return {comm, checkpoint_path(folder, name.step)};
  FoundCheckpoint found = find_latest_valid(comm, folder);
  warn_of_damage(comm, found);
  if (!found.checkpoint) throw usage("-run " + name.run + ": " + folder + " holds no valid checkpoint");
  return std::move(*found.checkpoint);
}

TrainSettings recall_settings(Options& options, const Checkpoint& checkpoint) {
  const auto config = checkpoint.config();
  const std::vector<std::string> recalled = recall_options(config, train_declarations());
  TrainSettings settings = TrainSettings::from(options, recalled);
  for (const Setting& setting : options.settings()) {
    if (setting.role.kind != Role::identity) continue;
    const auto stored =
        std::find_if(config.begin(), config.end(), [&](const auto& o) { return o.first == setting.name; });
    if (stored != config.end() && !same_value(stored->second, setting.value))
      throw usage("option -" + setting.name + " is " + setting.value + " but the run of " +
                  checkpoint.path() + " was made with " + stored->second + "; leave it out");
  }
  return settings;
}

}  // namespace run
}  // namespace poise
