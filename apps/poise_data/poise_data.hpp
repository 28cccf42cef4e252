#pragma once

#include <mpi.h>

#include <string>
#include <vector>

namespace poise::data {

/// The program poise-data without its frame: `words` are what the command line holds before the first option
/// (import, synthetic, or show FILE), the options stand in PETSc's database. `help_category`: the word behind
/// -help. Collective on `comm`. Returns what rank 0 prints. Throws bad_input, the same on every rank.
[[nodiscard]] std::string run_poise_data(MPI_Comm comm, const std::vector<std::string>& words,
                                         bool help_requested, const std::string& help_category = {});

}  // namespace poise::data
