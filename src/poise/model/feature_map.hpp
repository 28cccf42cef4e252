#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/base/process_grid.hpp"
#include "poise/base/snapshot.hpp"
#include "poise/model/scales.hpp"

namespace poise {
inline namespace model {

class FeatureMap;

/// The samples and settings that a feature map is fitted to.
struct FeatureSamples {
  const ProcessGrid& grid;
  Index width;              ///< -features_width; 0: the default of the map
  bool constant;            ///< -features_constant: whether the constant 1 follows the features
  std::uint64_t seed;       ///< seed of random features
  Index count;              ///< training samples of this rank, the same on all ranks of grid.feature()
  const double* x;          ///< the inputs of these samples, one column per sample
  ColumnStatistics inputs;  ///< statistics of the inputs of all training samples
  /// -features_standardise of a stored run, if its map is fitted again; if empty: the option of this program.
  std::optional<bool> standardise = {};

  /// This rank's rows of a matrix with one row per feature (`features` rows) and, with `constant`, one more.
  [[nodiscard]] Range rows(Index features) const;
  /// These rows without the row of the constant.
  [[nodiscard]] Range feature_rows(Index features) const;
};

/// A matrix of a fitted map, with one row per feature, including the constant.
struct FeatureBlock {
  std::string name;
  Index columns;
};

/// The numbers of a fitted map, as checkpoints store them.
struct FeatureNumbers {
  Index width = 0;  ///< m, the number of features with the constant
  bool constant = true;
  bool standardised = true;       ///< inputs were first scaled to variance 1; older versions did not
  std::vector<double> mean = {};  ///< mean of each input
  /// The share of each input's variance that the features keep: 1, less if whitening drops directions, 0 for
  /// a constant input. Empty if it is not known.
  std::vector<double> kept_variance = {};
  /// This rank's rows of the matrices that FeatureMap::blocks lists, in the same order; row-major.
  std::vector<std::vector<double>> blocks = {};
};

/// A feature map that has been fitted: x → φ(x), the features of THEORY.md 1. Holds this rank's rows of φ.
class Features {
 public:
  /// From stored numbers. `grid` is not kept.
  Features(const ProcessGrid& grid, std::shared_ptr<const FeatureMap> map, FeatureNumbers numbers);

  [[nodiscard]] const FeatureMap& map() const { return *map_; }
  [[nodiscard]] const FeatureNumbers& numbers() const { return numbers_; }
  [[nodiscard]] bool constant() const { return numbers_.constant; }
  /// m, the number of features with the constant.
  [[nodiscard]] Index width() const { return numbers_.width; }
  [[nodiscard]] Index inputs() const { return static_cast<Index>(numbers_.mean.size()); }
  /// All features but the constant.
  [[nodiscard]] Index count() const { return width() - (constant() ? 1 : 0); }
  [[nodiscard]] Range rows() const { return rows_; }
  /// `rows` without the row of the constant.
  [[nodiscard]] Range feature_rows() const;
  [[nodiscard]] const std::vector<double>& mean() const { return numbers_.mean; }
  /// This rank's rows of the matrix `name` of FeatureMap::blocks, row-major. Empty if there is no such
  /// matrix.
  [[nodiscard]] const std::vector<double>& block(const std::string& name) const;

  /// Not collective. Writes this rank's rows of φ for the columns of x (inputs x count) to phi (rows().size()
  /// x count, column-major).
  void apply(Index count, const double* x, double* phi) const;
  /// Not collective. Adds the group /features of a checkpoint. `part`: the rows that this rank writes. The
  /// snapshot borrows the blocks from this object.
  void save(Snapshot& snapshot, Range part) const;

 private:
  std::shared_ptr<const FeatureMap> map_;
  FeatureNumbers numbers_;
  Range rows_;
};

/// A value of -features with its options: how φ is fitted and computed. Immutable once its options are read.
/// A user's own map derives from this class, and register_features makes it known. It must override `name`,
/// `help`, `fit` and `apply`; the other methods have defaults.
class FeatureMap {
 public:
  virtual ~FeatureMap() = default;
  FeatureMap() = default;
  FeatureMap(const FeatureMap&) = delete;
  FeatureMap& operator=(const FeatureMap&) = delete;

  /// The value of -features, also stored in checkpoints.
  [[nodiscard]] virtual std::string name() const = 0;
  /// A clause for -help.
  [[nodiscard]] virtual std::string help() const = 0;
  /// The text in the header of a run.
  [[nodiscard]] virtual std::string description() const { return name(); }

  // The options of the map.

  /// Declares and reads the options of this map, whether or not it is chosen. The program refuses them if a
  /// different map is chosen, and a resumed run must have the same values. Throws bad_input.
  virtual void read(Options&) {}
  /// The meaning of -features_width for this map, for -help; if empty, the option is refused.
  [[nodiscard]] virtual std::string width_help() const { return {}; }

  // The features of d inputs. These methods do not count the constant.

  /// The matrices of a fitted map, without the mean. Checkpoints store and restore them as /features/NAME.
  [[nodiscard]] virtual std::vector<FeatureBlock> blocks(Index /*d*/) const { return {}; }
  /// Collective on the world. Fits the map to the training samples and returns the number of features. On
  /// entry, `numbers` holds the mean of the inputs and the defaults. The method must fill `blocks` and change
  /// every number that is different for this map. Random numbers must depend on global indices. Throws
  /// bad_input.
  [[nodiscard]] virtual Index fit(const FeatureSamples& samples, FeatureNumbers& numbers) const = 0;
  /// Not collective. Computes this rank's features of `count` samples x (d x count): feature i of a sample
  /// goes to phi[(i - rows().begin) + sample * rows().size()], for i in features.feature_rows(). The method
  /// may overwrite the row of the constant.
  virtual void apply(const Features& features, Index count, const double* x, double* phi) const = 0;

  /// The number of features if it depends only on d, else 0.
  [[nodiscard]] virtual Index fixed_count(Index /*d*/) const { return 0; }
  /// Whether φ is linear in x − mean, so that at most d features are independent. If there is a block
  /// "transform" T, then φ = T(x − mean), else φ = x.
  [[nodiscard]] virtual bool linear() const { return false; }

  // For the audit, which fits a stored map again.

  /// Whether the fit needs the inputs, beyond their number.
  [[nodiscard]] virtual bool depends_on_data() const { return true; }
  /// Empty if the fit determines all blocks. If it determines the first block only up to rotations of the
  /// features, as whitening does for equal variances: the smallest variance that the fit divides by, relative
  /// to the largest.
  [[nodiscard]] virtual std::optional<double> rotation_cut() const { return {}; }
};

/// Settings of whitening.
struct Whitening {
  bool zca = false;         ///< -features_zca: rotate whitened features back to the inputs' axes
  bool standardise = true;  ///< -features_standardise: first scale every input to variance 1
  double rank_cut = 1e-4;   ///< -features_rank_cut: smallest variance to keep, relative to the largest
};

/// Poise's own maps, φ(x) = a(T(x − μ) + b), or φ(x) = x/‖x‖₁ (unit_rows):
///  identity        φ = x
///  whiten          T = Λ^{-1/2}VᵀD⁻¹ (PCA) or VΛ^{-1/2}VᵀD⁻¹ (ZCA), D = diag(σ_j) the standard deviations of
///                  the inputs and VΛVᵀ their correlation matrix, so that ΦΦᵀ = n I on the kept directions
///                  (THEORY.md 5.5: this makes the rate of Theorem 1 useful), and the units of the inputs do
///                  not decide which directions are kept. Without `standardise`: D = max σ_j, VΛVᵀ the
///                  covariance
///  random_relu     a = max(0, ·), T_ij ~ N(0, 2/d)/σ_j: Gaussian features of standardised inputs
///  random_fourier  a = √(2/M) cos, T_ij ~ N(0, 1/(d bandwidth²))/σ_j, b uniform in [0, 2π)
[[nodiscard]] std::shared_ptr<FeatureMap> identity_features();
[[nodiscard]] std::shared_ptr<FeatureMap> unit_row_features();
[[nodiscard]] std::shared_ptr<FeatureMap> whiten_features(const Whitening& whitening = {});
[[nodiscard]] std::shared_ptr<FeatureMap> random_relu_features();
[[nodiscard]] std::shared_ptr<FeatureMap> random_fourier_features(double bandwidth = 1.0);

/// Makes `-features NAME` known to all code that reads options afterwards. Call it on every rank before the
/// entry function of a program (such as train_main). Throws bad_input if a map with this name is already
/// known.
void register_features(std::function<std::shared_ptr<FeatureMap>()> make);
template <class Map>
void register_features() {
  register_features([] { return std::make_shared<Map>(); });
}

/// The options -features….
struct FeatureSettings {
  std::shared_ptr<const FeatureMap> map = identity_features();
  Index width = 0;       ///< -features_width; 0: the default of the map
  bool constant = true;  ///< -features_constant: append a feature that is 1
  std::uint64_t seed = 0;

  /// Declares and reads the options of all maps.
  static FeatureSettings from(Options& options, std::uint64_t seed);
  /// Collective on the world. Fits the map to the training samples. `x` (inputs x count): this rank's
  /// samples, the same on all ranks of grid.feature(). `standardise`: see FeatureSamples. Throws bad_input if
  /// no input varies, if `width` exceeds the number of directions in which the inputs vary, or if squares
  /// of inputs may overflow or underflow.
  [[nodiscard]] Features fit(const ProcessGrid& grid, Index inputs, Index count, const double* x,
                             std::optional<bool> standardise = {}) const;
};

}  // namespace model
}  // namespace poise
