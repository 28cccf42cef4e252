#pragma once

#include <string>

namespace poise {

/// HDF5 1.10 trusts some of the numbers in a file: a damaged or hostile one can make it crash or loop for
/// ever. While a guard lives, the first such signal of this process (SEGV, BUS, FPE, ILL, ABRT), or more than
/// `seconds` of its own computing time, ends the whole program: every rank prints a message that names the
/// file or is ended by MPI_Abort; the exit code is not 0. Not collective. One at a time; built with the
/// address sanitizer it does nothing, so that the sanitizer reports.
class CrashGuard {
 public:
  /// `path` must outlive the guard.
  CrashGuard(const std::string& path, int seconds);
  ~CrashGuard();
  CrashGuard(const CrashGuard&) = delete;
  CrashGuard& operator=(const CrashGuard&) = delete;
};

}  // namespace poise
