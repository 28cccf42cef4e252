#pragma once

#include <mpi.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/io/hdf5.hpp"
#include "poise/io/run_directory.hpp"
#include "poise/run/interruptions.hpp"
#include "poise/run/member_store.hpp"
#include "poise/run/members.hpp"

namespace poise {
inline namespace run {

// What the programs do alike that run the members of a study and write one file of results: poise-sweep and
// poise-compare.

/// The role of the options that the results of a study depend on.
[[nodiscard]] Role fixes_study();

/// The options of one invocation.
struct StudyInvocation {
  std::string run;
  bool resume = false;
  double deadline = 0.0;
  int member_ranks = 1;

  /// Declares and reads -run, -resume, -deadline and -member_ranks. `run_help`: the help of -run.
  static StudyInvocation from(Options& options, const std::string& run_help);
  /// Not collective. The number of ranks of `comm`. Throws bad_input, the same on every rank, unless
  /// member_ranks divides it.
  int require_fitting(MPI_Comm comm) const;
};

/// Collective. With -resume: compares the options that the user has given with those of the study,
/// RUN/options.txt, sets the others (but not PETSc's own, such as -log_view) to their values there, and
/// returns their names. Call it before the options are read. `declare` declares all options of the program.
/// Throws bad_input that names the option and both values if one with Role::identity or of a solver differs.
std::vector<std::string> recall_study(MPI_Comm comm, const std::string& program,
                                      const std::function<void(Options&)>& declare);

/// A study that runs: its directory, its lock, and the results of its members.
class StudyRun {
 public:
  struct About {
    std::string program;             ///< "poise-sweep"
    std::string file;                ///< its file of results, "sweep.h5"
    std::vector<std::string> names;  ///< of the members
    std::vector<double> costs;       ///< relative cost of every member
    std::string data_fingerprint;    ///< of the samples
  };

  /// Collective. Creates and locks the directory, writes options.txt, and reads the results of earlier
  /// attempts. Throws bad_input if the directory holds a run or a study and -resume is not given, or if a
  /// result belongs to a different study.
  StudyRun(MPI_Comm comm, const StudyInvocation& invocation, const Options& options, About about);

  /// Computes a member on its group. After every step it must call `requests.poll()`, and throw MemberStopped
  /// if that asks for a stop.
  using Member = std::function<std::vector<double>(MPI_Comm group, Index member, Interruptions& requests)>;
  /// What a member has found, in a few words, for its line on the terminal.
  using Text = std::function<std::string(Index member, const std::vector<double>& values)>;
  /// Collective. Runs the members that have no result yet and keeps the result of each as soon as it has
  /// ended. Returns the results of all members, or nothing if a request has stopped the study: then it has
  /// printed how to go on.
  [[nodiscard]] std::optional<std::vector<MemberResult>> run(const Member& member, const Text& text);

  /// Collective. Call it when the file of results is on the disk: without failed members the study is
  /// complete and the results of single members are removed.
  void finish(const std::vector<MemberResult>& results) const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file() const { return path_ + "/" + about_.file; }

 private:
  [[nodiscard]] std::vector<int> done() const;
  void report_stop(const std::vector<MemberStatus>& statuses) const;

  MPI_Comm comm_;
  StudyInvocation invocation_;
  About about_;
  std::string path_;
  RunLock lock_;
  MemberStore store_;
  std::vector<std::optional<MemberResult>> earlier_;
};

/// Not collective. The attributes of a complete file of results: failed_members, the number of members that
/// failed, and held, whether all that must hold did.
[[nodiscard]] std::vector<std::pair<std::string, H5Value>> study_outcome(std::size_t failed, bool held);

/// Collective. With -resume, if RUN/`file` holds all members of the study without a failure: says so and
/// returns the exit code of the study. Else returns nothing. `options`: all are declared. Throws bad_input if
/// one is unknown, or the file is damaged.
[[nodiscard]] std::optional<ExitCode> study_is_done(MPI_Comm comm, const StudyInvocation& invocation,
                                                    const Options& options, const std::string& program,
                                                    const std::string& file);

}  // namespace run
}  // namespace poise
