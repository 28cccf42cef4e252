#pragma once

#include <mpi.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/snapshot.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
inline namespace io {

// Checkpoint files DIR/checkpoints/step-00000100.h5, schema "poise-checkpoint-1". Names and shapes do not
// depend on the number of ranks, so any number of ranks can read a file that a different number wrote.
//
// Integrity. HDF5 checks its own structures, and every chunk has a fletcher32 checksum. In addition, each
// data set has an attribute `crc32`: the CRC-32 (zlib.crc32) of its entries as little-endian doubles,
// row-major, or of its texts, each with a zero byte behind it. The root attribute `checksum` is the CRC-32 of
// the list of all data sets (name, shape, crc32) and all attributes (name, type, value). `complete` is
// written after the data. A reader verifies all of this before it returns any content.

/// The root attribute `schema` of every checkpoint.
inline constexpr const char* checkpoint_schema = "poise-checkpoint-1";

/// Which checkpoints stay when a new one is written.
struct KeptCheckpoints {
  int newest = 0;      ///< so many of the newest ones up to the new step; 0: all
  Index best = -1;     ///< the best step, if it is not negative
  bool first = false;  ///< step 0, too
};

/// Collective. Writes `folder`/step-STEP.h5 with all ranks, atomically: the ranks write a hidden temporary
/// file, every rank flushes it to disk, and rank 0 renames it. Then `latest` (a text file with the newest
/// name, a hint for people) is replaced, and of the checkpoints up to this step only the newest `keep` stay
/// and those of `keep` stay; checkpoints of later steps are not touched. If there is a best step, `best` (a
/// text file, another hint for people) names its checkpoint. Returns the path. Throws failure on all ranks if
/// the file cannot be written; the older checkpoints are then unchanged and nothing of the new one remains.
/// The format reserves scalars of the group "/" and the names `crc32`, `checksum`, `complete`, `schema`.
std::string write_checkpoint(MPI_Comm comm, const std::string& folder, Index step, const Snapshot& snapshot,
                             const KeptCheckpoints& keep);

/// A checkpoint file that passed its checks, open for reading. Every method is Collective on its communicator
/// and throws bad_input, on all ranks, if the entry is missing or does not have the requested shape.
class Checkpoint {
 public:
  /// Collective. Opens and verifies the whole file; throws bad_input that says what is wrong with it.
  Checkpoint(MPI_Comm comm, const std::string& path);
  /// Collective. For callers that report damage instead of refusing it: if a check fails, `damage()` says
  /// which, and the content may be wrong. Throws bad_input if HDF5 cannot read the file.
  [[nodiscard]] static Checkpoint open_unverified(MPI_Comm comm, const std::string& path);
  /// What is wrong with the file; empty if it passed all checks.
  [[nodiscard]] const std::string& damage() const { return damage_; }

  [[nodiscard]] const std::string& path() const { return file_.path(); }
  [[nodiscard]] bool has(const std::string& name) const { return file_.exists(name); }
  [[nodiscard]] std::vector<Index> dims(const std::string& name) const { return file_.shape(name).dims; }

  /// Throws unless `name` has this shape, where -1 stands for any length. Call before reserving memory for
  /// it.
  void require_dims(const std::string& name, const std::vector<Index>& expected) const;

  /// Reads rows `part` of a rows x columns matrix; row part.begin + i goes to out[i * stride]. Each rank
  /// passes its own `part`, which may be empty; parts may overlap.
  void read_rows(const std::string& name, Index rows, Index columns, Range part, double* out,
                 Index stride) const;
  /// Reads columns `part` of a rows x columns matrix; column part.begin + i goes to out[i * stride].
  void read_columns(const std::string& name, Index rows, Index columns, Range part, double* out,
                    Index stride) const;
  /// A small array, the same on all ranks; `dims`: the required shape, -1 for any length.
  [[nodiscard]] std::vector<double> read_array(const std::string& name, const std::vector<Index>& dims) const;

  /// The names of the data sets in a group ("/parameters/"), sorted.
  [[nodiscard]] std::vector<std::string> names(const std::string& group) const;
  /// A list of texts; empty if the file has no such list.
  [[nodiscard]] std::vector<std::string> texts(const std::string& name) const;

  [[nodiscard]] bool has(const std::string& group, const std::string& scalar) const;
  [[nodiscard]] double real(const std::string& group, const std::string& name) const;
  [[nodiscard]] Index integer(const std::string& group, const std::string& name) const;
  [[nodiscard]] std::string text(const std::string& group, const std::string& name) const;
  /// The options of the run that wrote the checkpoint, sorted by name.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> config() const;

 private:
  explicit Checkpoint(H5File file) : file_(std::move(file)) {}
  void verify() const;
  [[nodiscard]] std::uint32_t checksum_of(const std::string& name, const std::vector<Index>& dims) const;

  H5File file_;
  std::string damage_;
};

/// The result of the search for a checkpoint to restart from.
struct FoundCheckpoint {
  struct Damaged {
    std::string path;
    std::string reason;
  };
  std::optional<Checkpoint> checkpoint;  ///< none if there is no valid one
  Index step = -1;
  std::vector<Damaged> skipped;  ///< newer checkpoints that failed their checks, newest first
};

/// Collective. The newest valid checkpoint of a folder; tries from the newest to the oldest. A missing folder
/// holds no checkpoint. `latest` is not read, because it may be out of date after a crash.
[[nodiscard]] FoundCheckpoint find_latest_valid(MPI_Comm comm, const std::string& folder);

/// Not collective. The steps of the checkpoint files in a folder, newest first, valid or not.
[[nodiscard]] std::vector<Index> list_checkpoints(const std::string& folder);
/// `folder`/step-00000100.h5
[[nodiscard]] std::string checkpoint_path(const std::string& folder, Index step);

}  // namespace io
}  // namespace poise
