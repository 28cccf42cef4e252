#include "poise/run/stored_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
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

/// The number of a step; empty for `last` (or -1) and `best`. Throws bad_input for every other word.
std::optional<Index> number_of(const std::string& step, const std::string& option) {
  if (step == "last" || step == "best" || step == "-1") return {};
  Index number = -1;
  const auto [end, code] = std::from_chars(step.data(), step.data() + step.size(), number);
  if (code != std::errc() || end != step.data() + step.size() || number < 0)
    throw usage(fmt::format("{}: '{}' is no step; give a number, last or best", option, step));
  return number;
}

/// Collective. The checkpoint of a step. Only rank 0 looks at the disk, so that either all ranks fail or none
/// does.
Checkpoint open_number(MPI_Comm comm, const std::string& folder, Index step, const std::string& why) {
  on_root(comm, [&] {
    if (!std::filesystem::exists(checkpoint_path(folder, step)))
      throw bad_input(
          fmt::format("{}: {} has no such checkpoint; it has: {}", why, folder, steps_text(folder)));
  });
  return {comm, checkpoint_path(folder, step)};
}

}  // namespace

StoredRunName StoredRunName::from(Options& options) {
  StoredRunName name;
  name.run = options.text("run", "", "the run directory to inspect");
  name.checkpoint = options.text("checkpoint", "", "a checkpoint file to inspect, instead of -run");
  name.step = options.text("step", "last",
                           "checkpoint of -run: the number of its step; last: the newest valid checkpoint; "
                           "best: the best one for the validation samples");
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

Checkpoint open_step(MPI_Comm comm, const std::string& run, const std::string& step,
                     const std::string& option) {
  const std::optional<Index> number = number_of(step, option);
  const std::string folder = run + "/checkpoints";
  on_root(comm, [&] {
    if (!std::filesystem::is_directory(run))
      throw bad_input(
          fmt::format("{} {}: there is no such directory", option == "-step" ? "-run" : option, run));
  });
  if (number) return open_number(comm, folder, *number, fmt::format("{} {}", option, *number));
  FoundCheckpoint found = find_latest_valid(comm, folder);
  warn_of_damage(comm, found);
  if (!found.checkpoint) throw usage(fmt::format("{}: {} holds no valid checkpoint", option, folder));
  if (step != "best") return std::move(*found.checkpoint);
  if (!found.checkpoint->has("/validation", "best_step"))
    throw usage(
        fmt::format("{} best: the run in {} had no validation samples (-validation_fraction); give a "
                    "number or last",
                    option, run));
  const Index best = found.checkpoint->integer("/validation", "best_step");
  if (best == found.step) return std::move(*found.checkpoint);
  return open_number(comm, folder, best, fmt::format("{} best, which is step {}", option, best));
}

Checkpoint open_stored_run(MPI_Comm comm, Options& options) {
  const StoredRunName name = StoredRunName::from(options);
  if (name.run.empty() == name.checkpoint.empty())
    throw usage(name.run.empty()
                    ? "give -run DIR, the directory of a run, or -checkpoint FILE"
                    : "-run and -checkpoint name two checkpoints; give only one of these options");
  if (!name.checkpoint.empty()) {
    if (name.step != "last") throw usage("-step belongs to -run; -checkpoint names the file itself");
    return {comm, name.checkpoint};
  }
  return open_step(comm, name.run, name.step, "-step");
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
