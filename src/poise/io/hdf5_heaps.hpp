#pragma once

#include <cstdint>
#include <string>

namespace poise {
inline namespace io {

// Texts of attributes have a variable length, so that h5py and others read them as str. HDF5 keeps such texts
// in heaps. Heaps are the only part of a file without checksums, and a damaged heap makes HDF5 1.10 crash. So
// H5File gives every heap a checksum when it closes a file, and checks it before HDF5 reads a text.

/// The attribute of the root group with the checksums: rows of offset in the file, bytes, CRC-32.
inline constexpr const char* heaps_attribute = "text_heaps";

/// Writes `heaps_attribute`. `file`: identifier of a file that is complete and was opened again for writing,
/// so that all its bytes are at `path`. Not collective; for one rank. Throws failure.
void seal_text_heaps(std::int64_t file, const std::string& path);

/// Throws bad_input if a heap does not have its checksum. A file without `heaps_attribute`, of another
/// program, passes. `file`: identifier of the open file. Not collective.
void require_sealed_text_heaps(std::int64_t file, const std::string& path);

}  // namespace io
}  // namespace poise
