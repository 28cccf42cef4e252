#pragma once

#include <mpi.h>

#include <functional>
#include <string>
#include <vector>

#include "poise/base/error.hpp"
#include "poise/base/options.hpp"

namespace poise {
inline namespace petsc {

/// Starts PETSc and SLEPc, and MPI unless it runs already; the destructor ends them. PETSc does not see a
/// `-help` without a word behind it, so that the program can print its own list; `-help petsc` also prints
/// the options of PETSc's solvers.
class Session {
 public:
  Session(int argc, char** argv);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  [[nodiscard]] bool version_requested() const { return version_requested_; }
  [[nodiscard]] bool help_requested() const { return help_requested_; }
  /// The word behind -help; empty if there is none or if it is petsc.
  [[nodiscard]] const std::string& help_category() const { return help_category_; }
  /// The words of the command line before the first option ("import", "show FILE"), then every later word
  /// that is neither an option nor the value of an option.
  [[nodiscard]] const std::vector<std::string>& words() const { return words_; }

 private:
  std::vector<std::string> arguments_;
  std::vector<char*> pointers_;
  std::vector<std::string> words_;
  std::string help_category_;
  bool help_requested_ = false, version_requested_ = false;
};

/// The frame of every main: starts MPI and a Session, runs `program`, and turns an error into one message and
/// an exit code that is the same on every rank. An error that not all ranks share aborts all ranks, so that
/// none waits forever.
int run_program(int argc, char** argv, const std::function<ExitCode(Session&)>& program);

/// The frame of a main that takes only options. `-help` prints `usage` and the options that `declare`
/// declares; a word that is not an option is an error; else `run` is called with MPI_COMM_WORLD.
int run_options_program(int argc, char** argv, const std::string& usage,
                        const std::function<void(Options&)>& declare,
                        const std::function<ExitCode(Options&, MPI_Comm)>& run);

}  // namespace petsc
}  // namespace poise
