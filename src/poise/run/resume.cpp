#include "poise/run/resume.hpp"

#include <algorithm>
#include <filesystem>
#include <string>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/output.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
namespace {

/// The message without the stack of HDF5 errors that follows it.
std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  if (line.ends_with(':')) line.pop_back();
  return line;
}

}  // namespace

void warn_of_damage(MPI_Comm comm, const FoundCheckpoint& found) {
  for (const auto& damaged : found.skipped)
    warn(comm, "checkpoint " + damaged.path + " is damaged (" + first_line(damaged.reason) +
                   "); falling back to the checkpoint before it");
}

FoundCheckpoint find_checkpoint(MPI_Comm comm, const RunDirectory& directory) {
  FoundCheckpoint found = find_latest_valid(comm, directory.checkpoints());
  warn_of_damage(comm, found);
  if (found.checkpoint) return found;
  throw usage(
      "-resume: " + directory.checkpoints() +
      (found.skipped.empty()
           ? " holds no checkpoint: the run ended before it wrote one; start it again, without -resume"
           : " holds no valid checkpoint; start a new run with a different -run"));
}

History find_history(MPI_Comm comm, const RunDirectory& directory, Index step, Index record_every) {
  const std::string path = directory.run_file();
  const std::string begins = "begins a new history at step " + std::to_string(step);
  int exists = 0;
  on_root(comm, [&] {
    exists = std::filesystem::exists(path) ? 1 : 0;
    if (exists == 0) warn("there is no " + path + "; -resume " + begins);
  });
  check_mpi(MPI_Bcast(&exists, 1, MPI_INT, 0, comm));
  if (exists == 0) return {};
  History past;
  try {
    past = RunFile::load(comm, path);
  } catch (const Error& error) {  // the same on all ranks
    if (!error.collective()) throw;
    const std::string text = error.what();
    const std::string cause = first_line(text);
    throw usage("-resume: " + cause + "; if the file is damaged, move it away, and -resume " + begins +
                text.substr(std::min(text.find('\n'), text.size())));
  }
  const std::vector<double> steps = past.column("step");
  std::size_t kept = 0;  // number of rows up to the checkpoint
  while (kept < steps.size() && steps[kept] <= static_cast<double>(step)) ++kept;
  past.rows.resize(kept);
  const double last = kept > 0 ? steps[kept - 1] : -1.0;
  on_root(comm, [&] {
    if (last <= static_cast<double>(step - record_every))
      warn(path + " ends at step " + to_text(last) + ", before the checkpoint of step " +
           std::to_string(step) + ": the history will lack the steps between them");
  });
  return past;
}

void require_same_run(const Checkpoint& checkpoint, const Options& options, const DynamicsKind& dynamics) {
  const auto before = checkpoint.config();
  for (const auto& setting : options.settings()) {
    const Role::Kind role = setting.role.kind;
    if (role != Role::identity && !(role == Role::end && dynamics.depends_on_end())) continue;
    const auto old =
        std::find_if(before.begin(), before.end(), [&](const auto& o) { return o.first == setting.name; });
    if (old != before.end() && !same_value(old->second, setting.value))
      throw usage("-resume: option -" + setting.name + " is " + setting.value +
                  " but the run was made with " + old->second + ": " + setting.role.why +
                  "; leave the option out, or start a new run");
  }
}

}  // namespace run
}  // namespace poise
