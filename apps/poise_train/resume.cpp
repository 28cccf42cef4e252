#include "poise_train/resume.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise_train/run_options.hpp"
#include "poise_train/usage.hpp"

namespace poise {
namespace {

/// Without HDF5's stack behind it.
std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  if (line.ends_with(':')) line.pop_back();
  return line;
}

}  // namespace

void warn_of_damage(MPI_Comm comm, const FoundCheckpoint& found) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank));
  for (const auto& damaged : found.skipped)
    if (rank == 0)
      std::fprintf(stderr, "poise: warning: checkpoint %s is damaged (%s); falling back to the one before\n",
                   damaged.path.c_str(), first_line(damaged.reason).c_str());
}

FoundCheckpoint find_checkpoint(MPI_Comm comm, const RunDirectory& directory) {
  FoundCheckpoint found = find_latest_valid(comm, directory.checkpoints());
  warn_of_damage(comm, found);
  if (!found.checkpoint)
    throw usage("-resume: " + directory.checkpoints() +
                " holds no valid checkpoint; start anew with another -run");
  return found;
}

void require_same_run(const Checkpoint& checkpoint, const Options& options) {
  const auto before = checkpoint.config();
  for (const auto& setting : options.settings()) {
    const auto& names = identity_options();
    if (std::find(names.begin(), names.end(), setting.name) == names.end()) continue;
    const auto old =
        std::find_if(before.begin(), before.end(), [&](const auto& o) { return o.first == setting.name; });
    if (old != before.end() && old->second != setting.value)
      throw usage("-resume: option -" + setting.name + " is " + setting.value +
                  " but the run was made with " + old->second + "; leave it out, or start another run");
  }
}

}  // namespace poise
