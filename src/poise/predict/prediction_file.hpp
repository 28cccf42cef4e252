#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/predict/new_samples.hpp"
#include "poise/predict/predictor.hpp"

namespace poise {
inline namespace predict {

/// The schema of the HDF5 files that poise-predict writes.
inline constexpr const char* prediction_schema = "poise-prediction-1";

/// What is known of some samples after their prediction. Blocks are column-major, one column per sample.
struct PredictedBlock {
  Range rows;                         ///< of the file of samples
  std::vector<double> outputs;        ///< outputs x count; NaN for a sample without a prediction
  std::vector<double> probabilities;  ///< classes x count; empty without probabilities
  std::vector<Index> predicted;   ///< count; −1 for a sample without a prediction; empty for a regression
  std::vector<double> residuals;  ///< count, relative, of the equilibria; NaN for a sample that was left out
};

/// The file of predictions, one row per sample of the data file. It has a temporary name until `commit`, so
/// that a program that fails leaves no half-written file.
class PredictionFile {
 public:
  /// What the file says of its origin.
  struct Origin {
    std::string checkpoint, data;
    Index step = 0;
  };
  /// Collective on the world. HDF5, or CSV if `path` ends with .csv.
  static std::unique_ptr<PredictionFile> create(const ProcessGrid& grid, const std::string& path,
                                                Index samples, const Predictor& predictor,
                                                const Origin& origin);
  virtual ~PredictionFile() = default;
  /// Collective on the world. The blocks of a call follow each other in the order of grid.sample(); the ranks
  /// of grid.feature() pass the same block.
  virtual void write(const PredictedBlock& block) = 0;
  /// Collective on the world. Flushes to disk and gives the file its name, replacing an older file.
  virtual void commit() = 0;
};

}  // namespace predict
}  // namespace poise
