#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace poise {

// Files that survive a crash. For one rank; nothing here communicates. All throw failure with the path and
// the system's reason.

/// Replaces the content of `path`: a reader sees the old or the new one, never a part, also after a crash.
/// Writes `.NAME.tmp` beside it, which is removed when something fails.
void replace_file(const std::string& path, std::string_view content);

/// Waits until the content of a file, or the entries of a directory, are on the disk.
void sync_path(const std::string& path);

/// Renames a file (replacing an old `to`) and waits until the directory that holds it is on the disk.
void rename_durably(const std::string& from, const std::string& to);

/// Creates an empty `path` and throws if `bytes` cannot be stored there (disk full, quota). File systems that
/// cannot reserve pass. With `reserve_space` and `require_writable` this finds the common failures before a
/// collective write meets them on some ranks only.
void require_space(const std::string& path, std::uint64_t bytes);

/// Throws if this process may not write `bytes` into the existing file `path`.
void require_writable(const std::string& path, std::uint64_t bytes);

/// Sets `bytes` of the disk aside for the existing file `path`, whose length stays; `trim` gives back what
/// lies after its end.
void reserve_space(const std::string& path, std::uint64_t bytes);
void trim(const std::string& path);

/// Creates a directory and those above it.
void create_directory(const std::string& path);

}  // namespace poise
