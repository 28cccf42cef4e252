#include "support.hpp"

#include <hdf5.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "poise/base/error.hpp"
#include "poise/petsc/session.hpp"

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** argv) {
  static char no_signal_handler[] = "-no_signal_handler";  // libFuzzer handles signals
  char* arguments[] = {(*argv)[0], no_signal_handler};
  static const poise::Session session(2, arguments);
  std::signal(SIGABRT, SIG_DFL);                   // Open MPI's handler would replace libFuzzer's
  H5set_free_list_limits(-1, -1, -1, -1, -1, -1);  // HDF5 clears megabytes for every file: keep them
  return 0;
}

namespace poise::fuzz {

File::File(const std::string& bytes) : path_("/dev/shm/poise-fuzz-XXXXXX") {
  const int descriptor = ::mkstemp(path_.data());
  promise(descriptor >= 0 &&
          ::write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  ::close(descriptor);
}

File::~File() {
  ::unlink(path_.c_str());
}

bool accepts(const std::function<void()>& reader) {
  static const bool verbose = std::getenv("POISE_FUZZ_VERBOSE") != nullptr;
  try {
    reader();
    if (verbose) std::fputs("accepted\n", stderr);
    return true;
  } catch (const Error& error) {
    if (verbose) std::fprintf(stderr, "refused: %s\n", error.what());
    promise(error.code() == ExitCode::bad_input);
    return false;
  }
}

}  // namespace poise::fuzz
