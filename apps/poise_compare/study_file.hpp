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
/// where it is linear; attributes of the root: `models` (their names, separated by ';'), gamma, samples, m,
/// q, `failed` (names of failed members with the reason, a line each; empty: none), and version, git, petsc,
/// … as in run.h5; /config: the resolved options.
class StudyDirectory {
 public:
  /// Collective. Creates DIR where it is missing. Throws as make_study_directory.
  StudyDirectory(MPI_Comm comm, std::string path);

  using Config = std::vector<std::pair<std::string, std::string>>;
  /// Collective. Writes DIR/options.txt: rank 0's.
  void write_options(const Config& resolved) const;
  /// Collective. Writes DIR/compare.h5 atomically: rank 0's study.
  void write(const Study& study, const Config& config, bool weights) const;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  MPI_Comm comm_;
  std::string path_;
  RunLock lock_;
};

/// Which members failed and why, a line each.
[[nodiscard]] std::string failures_of(const Study& study);

}  // namespace poise::compare
