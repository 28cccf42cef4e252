#pragma once

#include <mpi.h>

#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/io/dataset.hpp"

namespace poise::data {

/// An importer declares its options, reads its files and writes the data set. Serial, on a communicator of
/// one rank. Throws bad_input for wrong options and for all errors of the files, and then leaves no output
/// file. With `declare_only` it returns after the declarations (for -help).
DatasetInfo import_csv(Options& options, bool declare_only = false);
/// Images and labels in IDX files, the format of MNIST. Images are stored as the bytes they are, with
/// -pixel_scale (default 1/255) as the attribute `scale_factor`, by which readers multiply.
DatasetInfo import_idx(Options& options, bool declare_only = false);
DatasetInfo import_npy(Options& options, bool declare_only = false);
DatasetInfo import_npz(Options& options, bool declare_only = false);
/// Copies a data file with packed numbers unpacked, and on request without rows with missing numbers.
DatasetInfo import_h5(Options& options, bool declare_only = false);

/// `poise-data import`: runs the importer that -csv, -images, -npy_features, -npz, -h5, -npz_graph or -edges
/// chooses. Returns a line about the file.
std::string import_dataset(Options& options, bool declare_only = false);

/// A linear teacher: Y = W X + noise, W ~ N(0, 1) / sqrt(d), X ~ N(0, 1), noise ~ s N(0, 1). A teacher of
/// rank r is W = G H / sqrt(r d), G (q x r) and H (r x d) ~ N(0, 1): entries of the same variance.
struct SyntheticProblem {
  Index samples = 0, test_samples = 0;
  Index inputs = 0, outputs = 0;
  Index teacher_rank = 0;  ///< r; 0: full
  double noise = 0.0;
  std::uint64_t seed = 0;
  bool classification = false;  ///< labels are the argmax of W x + noise
};

/// Collective on `comm`. Writes the problem to `path` (`info` also carries name, source and licence), and W
/// as /teacher [q, d]. Every rank generates and writes its own rows in blocks of bounded size; the numbers do
/// not depend on the number of ranks. Test sample t is sample n + t of the same random streams.
DatasetInfo write_synthetic(MPI_Comm comm, const SyntheticProblem& problem, DatasetInfo info);

/// Collective on `comm`. `poise-data synthetic`: declares its options and writes the file.
DatasetInfo synthetic_dataset(MPI_Comm comm, Options& options, bool declare_only = false);

/// Name, source and licence, each on a line, behind the line of the path.
[[nodiscard]] std::string describe_source(const DatasetInfo& info);

/// The content of a data file as text: name, source, licence, shapes, types, range and mean of the features,
/// constant columns, counts of the classes or range of the targets. Serial; reads the file block by block and
/// so checks every value. Throws bad_input as Dataset does.
[[nodiscard]] std::string show_dataset(const std::string& path);

/// The program poise-data without the start and end of MPI. `words`: the words of the command line before the
/// first option (import, synthetic, or show FILE); the options stand in PETSc's database. `help_category`:
/// the word behind -help. Collective on `comm`. Returns the text that rank 0 prints. Throws bad_input, the
/// same on every rank.
[[nodiscard]] std::string run_poise_data(MPI_Comm comm, const std::vector<std::string>& words,
                                         bool help_requested, const std::string& help_category = {});

}  // namespace poise::data
