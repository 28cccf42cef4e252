#pragma once

#include <mpi.h>

#include <string>

#include "poise/io/run_file.hpp"
#include "poise_compare/study.hpp"

namespace poise::compare {

/// Collective. Rank 0 writes its study to compare.h5, atomically. Schema "poise-compare-1": /times [K],
/// /seeds [S], /models [M] (their names), which are dimension scales, /model_depth [M] (0: it has none),
/// /paths/<name> [M, S, K], /costs/<name> [M, S], with `weights` /weights/<k> [S, K, q, m] of model k if it
/// is linear; attributes of the root: `models` (their names, separated by ';'), gamma, samples, m, q,
/// `failed` (one line per failed member with its name and the reason), study_outcome, and version, git,
/// petsc, … as in run.h5; /config: the resolved options.
void write_compare(MPI_Comm comm, const std::string& path, const Study& study, const RunFile::Config& config,
                   bool weights);

/// The failed members and the reasons, one line per member.
[[nodiscard]] std::string failures_of(const Study& study);

/// The report for the terminal: the problem; one row per model with median [least, largest] over the seeds at
/// the end of the flow; the distances of the truncations; the failed members. Not collective.
[[nodiscard]] std::string study_report(const Study& study, const CompareReference& reference,
                                       const CompareSettings& settings);

}  // namespace poise::compare
