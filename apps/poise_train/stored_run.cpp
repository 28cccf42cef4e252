#include "poise_train/stored_run.hpp"

#include <algorithm>
#include <filesystem>
#include <string>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"
#include "poise_train/resume.hpp"
#include "poise_train/run_options.hpp"
#include "poise_train/usage.hpp"

namespace poise {
namespace {

std::string steps_text(const std::string& folder) {
  std::string text;
  for (const Index step : list_checkpoints(folder)) text += (text.empty() ? "" : ", ") + std::to_string(step);
  return text.empty() ? "none" : text;
}

/// What there is on disk is asked on rank 0 alone, so that all ranks fail or none does.
void require_run(MPI_Comm comm, const std::string& run, const std::string& folder, Index step) {
  on_root(comm, [&] {
    if (!std::filesystem::is_directory(run)) throw bad_input("-run " + run + ": there is no such directory");
    if (step >= 0 && !std::filesystem::exists(checkpoint_path(folder, step)))
      throw bad_input("-step " + std::to_string(step) + ": " + folder +
                      " has no such checkpoint; it has: " + steps_text(folder));
  });
}

}  // namespace

Checkpoint open_stored_run(MPI_Comm comm, Options& options) {
  const std::string run = options.text("run", "", "the run directory to look at");
  const std::string file = options.text("checkpoint", "", "a checkpoint file to look at, instead of -run");
  const Index step =
      options.integer("step", -1, {-1, 2e9}, "the step of the checkpoint of -run; -1: the newest valid one");
  if (run.empty() == file.empty())
    throw usage(run.empty() ? "give -run DIR, the directory of a run, or -checkpoint FILE"
                            : "-run and -checkpoint name two checkpoints; give one of them");
  if (!file.empty()) {
    if (step >= 0) throw usage("-step belongs to -run; -checkpoint names the file itself");
    return {comm, file};
  }
  const std::string folder = run + "/checkpoints";
  require_run(comm, run, folder, step);
  if (step >= 0) return {comm, checkpoint_path(folder, step)};
  FoundCheckpoint found = find_latest_valid(comm, folder);
  warn_of_damage(comm, found);
  if (!found.checkpoint) throw usage("-run " + run + ": " + folder + " holds no valid checkpoint");
  return std::move(*found.checkpoint);
}

TrainSettings recall_settings(Options& options, const Checkpoint& checkpoint) {
  const auto config = checkpoint.config();
  recall_options(config);
  TrainSettings settings = TrainSettings::from(options);
  for (const Setting& setting : options.settings()) {
    const auto& names = identity_options();
    if (setting.name == "data" || std::find(names.begin(), names.end(), setting.name) == names.end())
      continue;
    const auto stored =
        std::find_if(config.begin(), config.end(), [&](const auto& o) { return o.first == setting.name; });
    if (stored != config.end() && stored->second != setting.value)
      throw usage("option -" + setting.name + " is " + setting.value + " but the run of " +
                  checkpoint.path() + " was made with " + stored->second + "; leave it out");
  }
  return settings;
}

}  // namespace poise
