#pragma once

namespace poise {
inline namespace io {

// Texts of attributes have a variable length, so that h5py and others read them as str. HDF5 keeps such texts
// in heaps. Heaps are the only part of a file without checksums, and a damaged heap can make HDF5 1.10 crash.
// So H5File gives every heap a checksum when it closes a file; see H5File::has_sealed_texts.

/// The attribute of the root group with the checksums: rows of offset in the file, bytes, CRC-32.
inline constexpr const char* heaps_attribute = "text_heaps";

}  // namespace io
}  // namespace poise
