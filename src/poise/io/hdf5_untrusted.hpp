#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "poise/io/hdf5.hpp"

namespace poise {

// What is checked of a file that is read before anything in it is believed; for H5File and the readers. None
// of these is collective.

/// No deflate stream expands by more.
inline constexpr std::uint64_t largest_expansion = 1032;

/// Why the data set is not read, as the end of a sentence, or nothing: it lies in other files, is packed by
/// another filter than deflate, shuffle and fletcher32 (the decoders of the others do not bound what comes
/// out), or claims more than `file_bytes` can hold. Memory may be reserved for what passes.
[[nodiscard]] std::string find_defect(std::int64_t data_set, std::uint64_t file_bytes);

/// A property list for access by name that follows no link to another file.
[[nodiscard]] H5Handle links_of_this_file();

/// Absolute names of all groups ("/" first) and data sets that hard links lead to, each once. Throws
/// bad_input, without the path, if groups are nested or names are longer than any writer would.
[[nodiscard]] std::vector<std::string> walk_objects(std::int64_t file);

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
