#pragma once

#include <string>
#include <vector>

#include "poise_bench/report.hpp"

namespace poise::bench {

/// Throws bad_input unless the name is empty or ends in .csv or .h5. Not collective.
void check_output_name(const std::string& path);
/// Collective. Throws bad_input, on all ranks, if the file could not be written; leaves an old one as it is.
/// Nothing for an empty name.
void check_output(MPI_Comm comm, const std::string& path);
/// Not collective. Replaces the file, a row (CSV: with the names of all columns on top, no entry where a case
/// has none) or a group with attributes (HDF5) a report. Nothing for an empty name.
void write_output(const std::string& path, const std::vector<BenchReport>& reports);

}  // namespace poise::bench
