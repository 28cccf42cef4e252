#pragma once

#include <mpi.h>

#include <string>
#include <utility>
#include <vector>

#include "poise/io/run_directory.hpp"
#include "poise_compare/study.hpp"

namespace poise::compare {

/// The directory of a study: DIR/compare.h5, DIR/options.txt, DIR/figures/.
///
/// compare.h5, schema "poise-compare-1": /times [K], /seeds [S], /model_depth [M] (0: it has none),
/// /paths/<name> [M, S, K], /costs/<name> [M, S], with -save_weights /weights/<k> [S, K, q, m] of model k
/// if it is linear; attributes of the root: `models` (their names, separated by ';'), gamma, samples, m, q,
/// `failed` (one line per failed member with its name and the reason), and version, git, petsc, … as in
/// run.h5; /config: the resolved options.
class StudyDirectory {
 public:
  /// Collective. Creates DIR if it is missing. Throws as make_study_directory.
  StudyDirectory(MPI_Comm comm, std::string path);

  using Config = std::vector<std::pair<std::string, std::string>>;
  /// Collective. Rank 0 writes DIR/options.txt.
  void write_options(const Config& resolved) const;
  /// Collective. Rank 0 writes its study to DIR/compare.h5, atomically.
  void write(const Study& study, const Config& config, bool weights) const;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  MPI_Comm comm_;
  std::string path_;
  RunLock lock_;
};

/// The failed members and the reasons, one line per member.
[[nodiscard]] std::string failures_of(const Study& study);

/// The report for the terminal: the problem; one row per model with median [least, largest] over the seeds at
/// the end of the flow; the distances of the truncations; the failed members. Not collective.
[[nodiscard]] std::string study_report(const Study& study, const CompareReference& reference,
                                       const CompareSettings& settings);

}  // namespace poise::compare
