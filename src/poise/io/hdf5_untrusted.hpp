#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "poise/io/hdf5.hpp"

namespace poise {
inline namespace io {

// Checks of a file before its content is trusted, for H5File and the readers. None of these is collective.

/// No deflate stream expands by a larger factor.
inline constexpr std::uint64_t largest_expansion = 1032;

/// Why the data set is refused, as the end of a sentence; empty if it is not: its data are in other files, it
/// has filters other than deflate, shuffle and fletcher32 (decoders of other filters do not bound their
/// output), or it claims more data than `file_bytes` can hold. Memory may be reserved for a data set that
/// passes.
[[nodiscard]] std::string find_defect(std::int64_t data_set, std::uint64_t file_bytes);

/// A property list for access by name that follows no link to another file.
[[nodiscard]] H5Handle links_of_this_file();

/// Absolute names of all groups ("/" first) and data sets that hard links lead to, each once. Throws
/// bad_input, without the path, if groups are nested too deep or names are too long.
[[nodiscard]] std::vector<std::string> walk_objects(std::int64_t file);

/// HDF5 1.10 trusts some of the numbers in a file, so that a damaged or hostile file can make it crash or
/// loop for ever. While a guard lives, the first signal SEGV, BUS, FPE, ILL or ABRT of this process, or more
/// than `seconds` of its own computing time, ends the whole program: this rank prints a message that names
/// the file and calls MPI_Abort; the exit code is not 0. Not collective. Only one guard may live at a time.
/// In a build with the address sanitizer it does nothing, so that the sanitizer reports.
class CrashGuard {
 public:
  /// `path` must outlive the guard.
  CrashGuard(const std::string& path, int seconds);
  ~CrashGuard();
  CrashGuard(const CrashGuard&) = delete;
  CrashGuard& operator=(const CrashGuard&) = delete;
};

}  // namespace io
}  // namespace poise
