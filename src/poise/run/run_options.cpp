#include "poise/run/run_options.hpp"

#include <petscsys.h>

#include <algorithm>
#include <sstream>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/base/text.hpp"

namespace poise {
inline namespace run {
namespace {

constexpr std::size_t longest_options_file = 1'000'000;

bool is_set(const std::string& name) {
  PetscBool set = PETSC_FALSE;
  check(PetscOptionsHasName(nullptr, nullptr, ("-" + name).c_str(), &set));
  return set == PETSC_TRUE;
}

/// Returns whether it has set the option.
bool set_unless_given(const std::string& name, const std::string& value) {
  if (name == "grid_feature_ranks" || is_set(name)) return false;
  check(PetscOptionsSetValue(nullptr, ("-" + name).c_str(), value.c_str()));
  return true;
}

/// The value as PETSc reads it from a file of options: in quotes if it has blanks.
std::string quoted_value(const std::string& value) {
  return value.find_first_of(" \t") == std::string::npos ? value : '"' + value + '"';
}

std::string unquoted_value(const std::string& value) {
  const bool quoted = value.size() > 1 && value.front() == '"' && value.back() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

/// The options in the text of options.txt.
NamedOptions parse_options(const std::string& text) {
  NamedOptions options;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto blank = line.find(' ');
    if (line.empty() || line[0] != '-') continue;
    options.emplace_back(line.substr(1, blank - 1),
                         blank == std::string::npos ? "" : unquoted_value(line.substr(blank + 1)));
  }
  return options;
}

/// The program that the first line of options.txt names; empty if it names none.
std::string program_of(const std::string& text) {
  std::istringstream words(text.substr(0, text.find('\n')));
  std::string hash, program;
  words >> hash >> program;
  return hash == "#" && program.starts_with("poise-") ? program : "";
}

}  // namespace

std::string run_option(Options& options) {
  return options.text("run", "", "run directory; if empty: runs/DATA-DATE-TIME", Role{Role::invocation});
}

bool resume_option(Options& options) {
  return options.flag("resume", false,
                      "continue from the newest valid checkpoint of -run, with the options of that run; "
                      "options given now, such as a later -time, override them",
                      Role{Role::invocation});
}

double deadline_option(Options& options) {
  return options.real("deadline", 0.0, {.low = 0, .high = 1e9, .unit = "seconds"},
                      "wall-clock limit of this invocation: write a checkpoint and exit with code 75 before "
                      "a step that would exceed it; 0: in a SLURM job, end before SLURM_JOB_END_TIME by a "
                      "tenth of the time left, at most by 60 s; otherwise no limit",
                      Role{Role::invocation});
}

std::optional<NamedOptions> stored_options(MPI_Comm comm, const std::string& program) {
  Options before;  // options of this invocation; the options of the run are not known yet
  if (!resume_option(before)) return std::nullopt;
  const std::string run = run_option(before);
  const std::string path = run + "/options.txt";
  std::string text;
  on_root(comm, [&] {
    if (run.empty()) throw bad_input("-resume needs -run DIR, the directory of the run to continue");
    try {
      text = read_file(path, longest_options_file);
    } catch (const Error& error) {
      throw bad_input("-resume: " + std::string(error.what()) + "; is -run the directory of an earlier run?");
    }
    const std::string maker = program_of(text);
    if (!maker.empty() && maker != program)
      throw bad_input("-resume: " + path + " is of " + maker + ", not of " + program);
  });
  return parse_options(broadcast(comm, text));
}

std::vector<std::string> recall(const NamedOptions& stored, const Options& declared) {
  std::vector<std::string> recalled;
  for (const auto& [name, value] : stored)
    if (declared.knows(name) && set_unless_given(name, value)) recalled.push_back(name);
  return recalled;
}

std::vector<std::string> recall_options(const std::vector<std::pair<std::string, std::string>>& config,
                                        const Options& own) {
  std::vector<std::string> left_out = own.names(Role::invocation), recalled;
  left_out.emplace_back("options_file");  // an option of PETSc
  for (const auto& [name, value] : config) {
    if (std::find(left_out.begin(), left_out.end(), name) != left_out.end()) continue;
    if ((!value.empty() || own.find(name) == nullptr) && set_unless_given(name, value))
      recalled.push_back(name);
    (void)is_set(name);  // PETSc counts an option as used once it was asked for
  }
  return recalled;
}

std::string options_text(const Options& options, const std::string& program, const std::string& what) {
  const std::vector<std::string> left_out = options.names(Role::invocation);
  NamedOptions kept;
  for (const auto& [name, value] : options.resolved()) {
    const bool invocation = std::find(left_out.begin(), left_out.end(), name) != left_out.end();
    const bool unset = value.empty() && options.find(name) != nullptr;
    if (!invocation && !unset) kept.emplace_back(name, value);
  }
  return options_text(kept, program, what);
}

std::string options_text(const NamedOptions& options, const std::string& program, const std::string& what) {
  std::string text = "# " + program + " -options_file THIS_FILE repeats " + what + "\n";
  for (const auto& [name, value] : options)
    text += "-" + name + (value.empty() ? "" : " " + quoted_value(value)) + "\n";
  return text;
}

}  // namespace run
}  // namespace poise
