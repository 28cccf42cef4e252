#pragma once

#include <vector>

#include "poise/base/permutation.hpp"
#include "poise/base/process_grid.hpp"
#include "poise/io/dataset.hpp"

namespace poise {
inline namespace run {

/// Samples of this rank, and the rows of the file that they come from.
struct SplitSamples {
  SampleBlock block;
  std::vector<Index> rows;
  std::uint64_t set = 0;  ///< which set of the file: 0 training, 1 test, 2 validation
};

/// Divides the training rows of a data file into training and validation samples (-validation_fraction F). A
/// random order of all rows decides, a function of the seed and the number of rows: of n_c rows of a class c,
/// the first round(F n_c) in this order are held out; for a regression, the first round(F n) of all rows. So
/// the split is the same on any number of ranks. Training and validation samples keep the order of the file,
/// and each of the two sets is divided among the ranks like any set of samples.
class ValidationSplit {
 public:
  /// Collective on the world; both references must outlive this object. `rows`: how many rows of /features
  /// the run uses. `fraction`: in [0, 1); 0 holds no row out, and nothing is read. Throws bad_input, the same
  /// on every rank, if a class (or, for a regression, the set) keeps no training or gets no validation
  /// sample.
  ValidationSplit(const ProcessGrid& grid, const Dataset& dataset, Index rows, double fraction,
                  std::uint64_t seed);

  [[nodiscard]] Index train_count() const { return rows_ - validation_count_; }
  [[nodiscard]] Index validation_count() const { return validation_count_; }
  /// Collective on the world. The samples of this rank: grid.samples(count) of the set; `begin` counts the
  /// samples of the set. Throws bad_input as Dataset does.
  [[nodiscard]] SplitSamples read_train() const { return read(train_, false); }
  [[nodiscard]] SplitSamples read_validation() const { return read(validation_, true); }

 private:
  /// Where the samples of this rank in a set are.
  struct Part {
    Index first = 0;  ///< the number of the first sample in the set
    Range rows;       ///< rows of the file that hold them, and samples of the other set in between
  };
  void find_thresholds(const std::vector<Index>& groups, double fraction);
  void require_samples(const std::vector<Index>& sizes, const std::vector<Index>& held_out,
                       double fraction) const;
  [[nodiscard]] bool is_held_out(Index row, Index group) const {
    return order_.place(0, row) < thresholds_[static_cast<std::size_t>(group)];
  }
  [[nodiscard]] Part find_part(const std::vector<bool>& held_out, bool validation) const;
  [[nodiscard]] SplitSamples read(const Part& part, bool validation) const;

  const ProcessGrid& grid_;
  const Dataset& dataset_;
  Index rows_, validation_count_ = 0;
  Permutation order_;
  std::vector<Index> thresholds_;  ///< of each class, or one for a regression: rows with lower places are out
  Part train_, validation_;
};

}  // namespace run
}  // namespace poise
