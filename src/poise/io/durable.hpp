#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace poise {
inline namespace io {

// Files that survive a crash. Each function is for one rank and does not communicate. All throw failure with
// the path and the system's reason.

/// Replaces the content of `path`: a reader sees the old or the new content, never a part of it, even after a
/// crash. Writes the temporary file `.NAME.tmp` next to it, which is removed on failure.
void replace_file(const std::string& path, std::string_view content);

/// Waits until the content of a file, or the entries of a directory, are on the disk.
void sync_path(const std::string& path);

/// Renames a file (replacing an old `to`) and waits until its directory is on the disk.
void rename_durably(const std::string& from, const std::string& to);

/// Removes a file, if it is there, and waits until its directory is on the disk.
void remove_durably(const std::string& path);

/// Creates an empty `path` and throws if `bytes` cannot be stored there (disk full, quota). Does not throw on
/// file systems that cannot reserve space. Together with `reserve_space` and `require_writable` this finds
/// the common failures before a collective write meets them on some ranks only.
void require_space(const std::string& path, std::uint64_t bytes);

/// Throws if this process may not write `bytes` into the existing file `path`.
void require_writable(const std::string& path, std::uint64_t bytes);

/// Reserves `bytes` on the disk for the existing file `path` without changing its length; `trim` releases the
/// reserved space after its end.
void reserve_space(const std::string& path, std::uint64_t bytes);
void trim(const std::string& path);

/// Creates a directory and its parent directories.
void create_directory(const std::string& path);

/// Call it before long work whose result goes to a new file. Throws bad_input, which names the option, if
/// `path` is a directory or lies in a directory that does not exist. An empty path means no output.
void require_output_path(const std::string& option, const std::string& path);

}  // namespace io
}  // namespace poise
