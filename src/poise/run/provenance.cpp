#include "poise/run/provenance.hpp"

#include <fmt/format.h>
#include <hdf5.h>
#include <petscsys.h>
#include <pwd.h>
#include <slepcsys.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/text.hpp"
#include "poise/base/version.hpp"
#include "poise/linalg/blas.hpp"

namespace poise {
inline namespace run {

RunFile::Named provenance(MPI_Comm comm) {
  char host[MPI_MAX_PROCESSOR_NAME] = "";
  int length = 0;
  check_mpi(MPI_Get_processor_name(host, &length));
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  check_mpi(MPI_Get_library_version(mpi, &length));
  int ranks = 1;
  check_mpi(MPI_Comm_size(comm, &ranks));
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  const auto dotted = [](auto a, auto b, auto c) { return fmt::format("{}.{}.{}", a, b, c); };
  return {{"version", version()},
          {"git", git_commit()},
          {"petsc", dotted(PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, PETSC_VERSION_SUBMINOR)},
          {"slepc", dotted(SLEPC_VERSION_MAJOR, SLEPC_VERSION_MINOR, SLEPC_VERSION_SUBMINOR)},
          {"hdf5", dotted(major, minor, release)},
          {"mpi", std::string(mpi)},
          {"ranks", Index{ranks}},
          {"host", std::string(host)},
          {"started", date("%Y-%m-%dT%H:%M:%SZ")}};
}

namespace {

/// The node and the processor that a rank runs on.
struct Place {
  std::array<char, MPI_MAX_PROCESSOR_NAME> host{};
  std::array<char, 128> processor{};
};

std::string processor_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "unknown";
}

/// Collective. The places of all ranks. Only rank 0 gets them.
std::vector<Place> gather_places(MPI_Comm comm) {
  Place mine;
  int length = 0;
  check_mpi(MPI_Get_processor_name(mine.host.data(), &length));
  const std::string model = processor_model();
  std::copy_n(model.begin(), std::min(model.size(), mine.processor.size() - 1), mine.processor.begin());
  int ranks = 1;
  check_mpi(MPI_Comm_size(comm, &ranks));
  std::vector<Place> places(static_cast<std::size_t>(ranks));
  check_mpi(MPI_Gather(&mine, sizeof(Place), MPI_BYTE, places.data(), sizeof(Place), MPI_BYTE, 0, comm));
  return places;
}

/// The distinct names, in the order of the first rank that has each.
template <class Member>
std::vector<std::string> distinct(const std::vector<Place>& places, Member member) {
  std::vector<std::string> all;
  for (const Place& place : places)
    if (const std::string name = (place.*member).data(); std::find(all.begin(), all.end(), name) == all.end())
      all.push_back(name);
  return all;
}

std::string user() {
  const passwd* entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_name : std::to_string(geteuid());
}

std::string petsc_options() {
  char* text = nullptr;
  check(PetscOptionsGetAll(nullptr, &text));
  std::string all = text != nullptr ? text : "";
  check(PetscFree(text));
  return all;
}

H5Value number_or_text(const char* text) {
  Index number = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, code] = std::from_chars(text, end, number);
  if (code == std::errc() && stop == end) return number;
  return std::string(text);
}

void add_slurm(RunFile::Named& named) {
  if (std::getenv("SLURM_JOB_ID") == nullptr) return;
  const std::pair<const char*, const char*> variables[]{{"slurm_job_id", "SLURM_JOB_ID"},
                                                        {"slurm_array_job_id", "SLURM_ARRAY_JOB_ID"},
                                                        {"slurm_array_task_id", "SLURM_ARRAY_TASK_ID"},
                                                        {"slurm_restart_count", "SLURM_RESTART_COUNT"},
                                                        {"slurm_partition", "SLURM_JOB_PARTITION"},
                                                        {"slurm_cluster", "SLURM_CLUSTER_NAME"},
                                                        {"slurm_account", "SLURM_JOB_ACCOUNT"},
                                                        {"slurm_nodes", "SLURM_JOB_NODELIST"}};
  for (const auto& [name, variable] : variables) {
    const char* value = std::getenv(variable);
    if (value == nullptr && std::strcmp(name, "slurm_restart_count") == 0)
      value = "0";  // SLURM sets it at the first restart
    if (value != nullptr) named.emplace_back(name, number_or_text(value));
  }
}

}  // namespace

std::string command_line() {
  int count = 0;
  char** words = nullptr;
  check(PetscGetArgs(&count, &words));
  std::vector<std::string> quoted;
  for (int i = 0; i < count; ++i) {
    const std::string word = words[i];
    const bool plain =
        !word.empty() && word.find_first_of(" \t\n'\"\\$`*?[]{}()<>|&;#~!") == std::string::npos;
    std::string inside;
    for (const char c : word) inside += c == '\'' ? "'\\''" : std::string(1, c);
    quoted.push_back(plain ? word : "'" + inside + "'");
  }
  return join(quoted, " ");
}

RunFile::Named describe_attempt(MPI_Comm comm) {
  RunFile::Named named = provenance(comm);
  const std::vector<Place> places = gather_places(comm);
  const std::vector<std::string> hosts = distinct(places, &Place::host);
  const BlasInfo blas = blas_info();
  std::error_code ignored;
  const RunFile::Named more{{"nodes", static_cast<Index>(hosts.size())},
                            {"hosts", join(hosts, " ")},
                            {"processor", join(distinct(places, &Place::processor), "; ")},
                            {"compiler", compiler()},
                            {"compiler_flags", compiler_flags()},
                            {"blas", blas.file},
                            {"blas_threads", Index{blas.threads}},
                            {"user", user()},
                            {"working_directory", std::filesystem::current_path(ignored).string()},
                            {"command", command_line()},
                            {"petsc_options", petsc_options()}};
  named.insert(named.end(), more.begin(), more.end());
  if (git_commit() != "unknown") named.emplace_back("git_dirty", Index{git_commit().ends_with("-dirty")});
  add_slurm(named);
  return named;
}

std::string changed_options(const RunFile::Config& before, const RunFile::Config& now) {
  const auto find = [](const RunFile::Config& config, const std::string& name) {
    return std::find_if(config.begin(), config.end(),
                        [&](const auto& option) { return option.first == name; });
  };
  std::string text;
  for (const auto& [name, value] : now) {
    const auto old = find(before, name);
    if (old == before.end() || !same_value(old->second, value))
      text += "-" + name + (value.empty() ? "" : " " + value) + "\n";
  }
  for (const auto& [name, value] : before)
    if (find(now, name) == now.end()) text += "# -" + name + "\n";
  return text;
}

}  // namespace run
}  // namespace poise
