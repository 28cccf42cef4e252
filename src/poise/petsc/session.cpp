#include "poise/petsc/session.hpp"

#include <slepcsys.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/output.hpp"
#include "poise/base/version.hpp"
#include "poise/petsc/options_database.hpp"

namespace poise {
inline namespace petsc {
namespace {

/// "-1" is a value, not an option.
bool is_number(const std::string& argument) {
  return argument.size() > 1 &&
         (std::isdigit(static_cast<unsigned char>(argument[1])) != 0 || argument[1] == '.');
}

/// Makes Open MPI use ROMIO for MPI-IO; a user's choice stays. Its default, ompio (4.1), reports a failed
/// write as a write of 0 bytes without an error, and HDF5 then hangs; ROMIO returns the error. Call this
/// before MPI starts.
void prefer_romio() {
  ::setenv("OMPI_MCA_io", "^ompio", 0);
}

/// Starts MPI, and ends it in the destructor.
class Mpi {
 public:
  Mpi() {
    int provided = 0;
    prefer_romio();
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);  // the level that PETSc asks for
  }
  ~Mpi() { MPI_Finalize(); }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;
};

/// The exit code of `body`. Rank 0 prints an error that all ranks throw; an error of one rank aborts all
/// ranks.
int run_and_report(const std::function<ExitCode()>& body) {
  try {
    return static_cast<int>(body());
  } catch (const Error& error) {
    std::fflush(stdout);
    if (!error.collective()) abort_world(std::current_exception());
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0) print_error(error.what());
    std::fflush(stderr);
    return static_cast<int>(error.code());
  } catch (...) {
    std::fflush(stdout);
    abort_world(std::current_exception());
  }
}

}  // namespace

Session::Session(int argc, char** argv) {
  int i = 0;
  if (argc > 0) arguments_.emplace_back(argv[i++]);
  for (; i < argc && argv[i][0] != '-'; ++i) words_.emplace_back(argv[i]);
  bool after_value = false;
  for (; i < argc; ++i) {
    const std::string argument = argv[i];
    // PETSc would silently ignore a word behind a value. Such words are kept, to be refused later.
    const bool is_value = argument.empty() || argument[0] != '-' || is_number(argument);
    if (is_value && after_value) words_.push_back(argument);
    after_value = is_value;
    if (argument == "-version" || argument == "--version") {
      version_requested_ = true;
      continue;
    }
    if (argument == "-help" || argument == "--help" || argument == "-h") {
      help_requested_ = true;
      if (i + 1 == argc || argv[i + 1][0] == '-') continue;
      help_category_ = argv[++i];
      if (help_category_ != "petsc") continue;
      help_category_.clear();
      arguments_.emplace_back("-help");
    } else {
      arguments_.push_back(argument);
    }
  }
  for (auto& argument : arguments_) pointers_.push_back(argument.data());
  pointers_.push_back(nullptr);
  prefer_romio();
  auto count = static_cast<int>(arguments_.size());
  char** pointers = pointers_.data();
  // PETSc's signal handlers would replace the program's, and answer TERM with an error report. Crashes by bad
  // memory accesses are reported by MPI.
  (void)PetscOptionsSetValue(nullptr, "-no_signal_handler", nullptr);
  if (SlepcInitialize(&count, &pointers, nullptr, nullptr) != 0)
    abort_world(std::make_exception_ptr(bad_input("PETSc could not start: see above")));
  (void)PetscOptionsClearValue(nullptr, "-no_signal_handler");  // not an option of the run
  install_error_handler();
}

Session::~Session() {
  // Newer PETSc lists unused options at the end unless it is told not to; Poise has refused them by then.
  PetscBool given = PETSC_FALSE;
  (void)PetscOptionsHasName(nullptr, nullptr, "-options_left", &given);
  if (given == PETSC_FALSE) (void)PetscOptionsSetValue(nullptr, "-options_left", "no");
  (void)SlepcFinalize();
}

int run_program(int argc, char** argv, const std::function<ExitCode(Session&)>& program) {
  const Mpi mpi;
  std::set_terminate([] { abort_world(std::current_exception()); });
  int code = run_and_report([&] {
    require_options_files(MPI_COMM_WORLD, argc, argv);
    return ExitCode::done;
  });
  if (code == 0) {
    Session session(argc, argv);
    code = run_and_report([&] {
      if (!session.version_requested()) return program(session);
      int rank = 0;
      MPI_Comm_rank(MPI_COMM_WORLD, &rank);
      if (rank == 0)
        std::printf("Poise %s (%s), PETSc %d.%d.%d, SLEPc %d.%d.%d\n", version().c_str(),
                    git_commit().c_str(), PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, PETSC_VERSION_SUBMINOR,
                    SLEPC_VERSION_MAJOR, SLEPC_VERSION_MINOR, SLEPC_VERSION_SUBMINOR);
      return ExitCode::done;
    });
    std::fflush(stdout);
    // No rank may finalize MPI while another rank can still abort: Open MPI 4.1's mpirun then sometimes hangs
    // or crashes.
    MPI_Barrier(MPI_COMM_WORLD);
  }
  return code;
}

namespace {

/// Runs the program. If an option is missing, the user may have misspelt it: then the message also names the
/// unknown options.
ExitCode run_or_name_misspelt(Options& options, const std::function<void(Options&)>& declare,
                              const std::function<ExitCode(Options&, MPI_Comm)>& run) {
  try {
    return run(options, MPI_COMM_WORLD);
  } catch (const Error& error) {
    if (error.code() != ExitCode::bad_input || !error.collective() || error.corrects()) throw;
    Options known;
    {
      const OwnOptions scope({});
      declare(known);
    }
    throw error.with_message(error.what() + known.misspelt());
  }
}

}  // namespace

int run_options_program(int argc, char** argv, const std::string& usage,
                        const std::function<void(Options&)>& declare,
                        const std::function<ExitCode(Options&, MPI_Comm)>& run) {
  return run_program(argc, argv, [&](Session& session) {
    Options options;
    if (!session.words().empty())
      throw Error(ExitCode::bad_input,
                  "'" + session.words().front() + "' is not an option: options start with a dash (-help)",
                  true);
    if (!session.help_requested()) return run_or_name_misspelt(options, declare, run);
    declare(options);
    int rank = 0;
    check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank));
    if (rank == 0) std::fputs(options.help(usage, session.help_category()).c_str(), stdout);
    return ExitCode::done;
  });
}

}  // namespace petsc
}  // namespace poise
