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

/// What a feature map is fitted to.
struct FeatureSamples {
  const ProcessGrid& grid;
  Index width;              ///< -features_width; 0: the default of the map
  bool constant;            ///< -features_constant: whether the constant 1 follows the features
  std::uint64_t seed;       ///< of random features
  Index count;              ///< training samples of this rank; the ranks of grid.feature() have the same ones
  const double* x;          ///< their inputs, a column each
  ColumnStatistics inputs;  ///< of the inputs of all training samples
  /// -features_standardise of the run whose map is fitted again; none: the option of this program.
  std::optional<bool> standardise = {};

  /// This rank's rows of a matrix that has a row for each of `features` features, and one for the constant.
  [[nodiscard]] Range rows(Index features) const;
  /// The first of these rows that are not the constant's.
  [[nodiscard]] Range feature_rows(Index features) const;
};

/// A matrix of a fitted map with a row for each feature, the constant among them.
struct FeatureBlock {
  std::string name;
  Index columns;
};

/// The numbers of a fitted map, as checkpoints store them.
struct FeatureNumbers {
  Index width = 0;  ///< m, the number of features with the constant
  bool constant = true;
  bool standardised = true;       ///< whether inputs were scaled to variance 1 first; an older Poise did not
  std::vector<double> mean = {};  ///< of each input
  /// The share of each input's variance that the features keep: 1, less where whitening drops directions, 0
  /// for a constant input. Empty where it is not known.
  std::vector<double> kept_variance = {};
  /// As FeatureMap::blocks lists them: this rank's rows, row-major.
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
  /// Those of `rows` that are not the constant's.
  [[nodiscard]] Range feature_rows() const;
  [[nodiscard]] const std::vector<double>& mean() const { return numbers_.mean; }
  /// A block of FeatureMap::blocks: this rank's rows, row-major. Empty if there is none of that name.
  [[nodiscard]] const std::vector<double>& block(const std::string& name) const;

  /// Not collective. phi (rows().size() x count, column-major) = own rows of φ of the columns of x (inputs x
  /// count).
  void apply(Index count, const double* x, double* phi) const;
  /// Not collective. Adds the group /features of a checkpoint. `part`: the rows that this rank writes. The
  /// snapshot borrows the blocks.
  void save(Snapshot& snapshot, Range part) const;

 private:
  std::shared_ptr<const FeatureMap> map_;
  FeatureNumbers numbers_;
  Range rows_;
};

/// A value of -features with its options: how φ is fitted and computed. Immutable once its options are read.
/// A map of a user's own derives from this class and is made known by register_features. It must write
/// `name`, `help`, `fit` and `apply`; the rest has defaults.
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
  /// What the header of a run says.
  [[nodiscard]] virtual std::string description() const { return name(); }

  // Its options.

  /// Declares and reads the options that belong to this map alone, whether or not it is chosen. They are
  /// refused with another map, and a resumed run must have the same ones. Throws bad_input.
  virtual void read(Options&) {}
  /// What -features_width is to this map, for -help; empty: the option is refused.
  [[nodiscard]] virtual std::string width_help() const { return {}; }

  // The features. d inputs; none of these counts the constant.

  /// The matrices of a fitted map beside the mean. Checkpoints store and restore them as /features/NAME.
  [[nodiscard]] virtual std::vector<FeatureBlock> blocks(Index /*d*/) const { return {}; }
  /// Collective on the world. Fits to the training samples and returns the number of features. `numbers`
  /// comes with the mean of the inputs; blocks are to be filled, and what is different is to be changed.
  /// Random numbers must be keyed by global indices. Throws bad_input.
  [[nodiscard]] virtual Index fit(const FeatureSamples& samples, FeatureNumbers& numbers) const = 0;
  /// Not collective. Own features of `count` samples x (d x count): feature i to phi[(i - rows().begin) +
  /// sample * rows().size()] for i in features.feature_rows(). The row of the constant may be overwritten.
  virtual void apply(const Features& features, Index count, const double* x, double* phi) const = 0;

  /// The number of features where d alone decides it; 0: it does not.
  [[nodiscard]] virtual Index fixed_count(Index /*d*/) const { return 0; }
  /// Whether φ is linear in x − mean, of which there are at most d independent features. With a block
  /// "transform" T it is T(x − mean), else x.
  [[nodiscard]] virtual bool linear() const { return false; }

  // What the audit asks, which fits a stored map again.

  /// Whether the fit needs the inputs, beyond their number.
  [[nodiscard]] virtual bool depends_on_data() const { return true; }
  /// Where the fit determines the first block up to rotations of the features only, as a whitening of
  /// equal variances does: the smallest variance that is divided by, relative to the largest. Else none: all
  /// blocks are determined.
  [[nodiscard]] virtual std::optional<double> rotation_cut() const { return {}; }
};

/// How whitening is done.
struct Whitening {
  bool zca = false;         ///< -features_zca: rotate whitened features back to the inputs' axes
  bool standardise = true;  ///< -features_standardise: whiten inputs that have been scaled to variance 1
  double rank_cut = 1e-4;   ///< -features_rank_cut: drop directions of smaller variance, over the largest
};

/// The maps that Poise brings, φ(x) = a(T(x − μ) + b):
///  identity        φ = x
///  whiten          T = Λ^{-1/2}VᵀD⁻¹ (PCA) or VΛ^{-1/2}VᵀD⁻¹ (ZCA), D = diag(σ_j) the standard deviations of
///                  the inputs and VΛVᵀ their correlation matrix, so that ΦΦᵀ = n I on the kept directions
///                  (THEORY.md 8: what makes the rate of Theorem 1 useful) and no input's unit decides which
///                  directions are kept. Without `standardise`: D = max σ_j, VΛVᵀ the covariance
///  random_relu     a = max(0, ·), T_ij ~ N(0, 2/d)/σ_j: Gaussian features of standardised inputs
///  random_fourier  a = √(2/M) cos, T_ij ~ N(0, 1/(d bandwidth²))/σ_j, b uniform in [0, 2π)
[[nodiscard]] std::shared_ptr<FeatureMap> identity_features();
[[nodiscard]] std::shared_ptr<FeatureMap> whiten_features(const Whitening& whitening = {});
[[nodiscard]] std::shared_ptr<FeatureMap> random_relu_features();
[[nodiscard]] std::shared_ptr<FeatureMap> random_fourier_features(double bandwidth = 1.0);

/// Makes `-features NAME` known to everything that reads options afterwards. Call it on every rank before a
/// program's entry. Throws bad_input if a map of that name is known.
void register_features(std::function<std::shared_ptr<FeatureMap>()> make);
template <class Map>
void register_features() {
  register_features([] { return std::make_shared<Map>(); });
}

/// What the user asks for (options -features…).
struct FeatureSettings {
  std::shared_ptr<const FeatureMap> map = identity_features();
  Index width = 0;       ///< -features_width; 0: the default of the map
  bool constant = true;  ///< -features_constant: append a feature that is 1
  std::uint64_t seed = 0;

  /// Declares and reads the options, of all maps.
  static FeatureSettings from(Options& options, std::uint64_t seed);
  /// Collective on the world. Fits the map to the training samples, of which this rank holds `count` columns
  /// of `x` (inputs x count); the ranks of grid.feature() hold the same ones. `standardise`: see
  /// FeatureSamples. Throws bad_input if nothing varies, if `width` exceeds what the data have, or if inputs
  /// are of a size whose square is no number.
  [[nodiscard]] Features fit(const ProcessGrid& grid, Index inputs, Index count, const double* x,
                             std::optional<bool> standardise = {}) const;
};

}  // namespace model
}  // namespace poise
