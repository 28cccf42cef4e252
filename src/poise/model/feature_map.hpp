#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/base/process_grid.hpp"
#include "poise/linalg/dense_eigen.hpp"
#include "poise/model/scales.hpp"

namespace poise {

enum class FeatureKind { identity, whiten, random_relu, random_fourier };

/// What the user asks for (options -features…).
struct FeatureOptions {
  FeatureKind kind = FeatureKind::identity;
  Index width = 0;          ///< -features_width: kept components or random features; 0: as many as there are
  bool constant = true;     ///< -features_constant: append a feature that is 1
  bool zca = false;         ///< -features_zca: rotate whitened features back to the inputs' axes
  bool standardise = true;  ///< -features_standardise: whiten inputs that have been scaled to variance 1
  double rank_cut =
      1e-4;  ///< -features_rank_cut: drop directions of smaller variance, relative to the largest
  double bandwidth = 1.0;  ///< -features_bandwidth: length scale of random_fourier
  std::uint64_t seed = 0;

  /// Declares and reads the options.
  static FeatureOptions from(Options& options, std::uint64_t seed);
};

/// The fixed features φ of THEORY.md 1, as φ(x) = a(T(x − μ) + b) with an optional constant row at the end:
///  identity        φ = x
///  whiten          T = Λ^{-1/2}VᵀD⁻¹ (PCA) or VΛ^{-1/2}VᵀD⁻¹ (ZCA), D = diag(σ_j) the standard deviations of
///                  the inputs and VΛVᵀ their correlation matrix, so that ΦΦᵀ = n I on the kept directions
///                  (THEORY.md 8: what makes the rate of Theorem 1 useful) and no input's unit decides which
///                  directions are kept. Without `standardise`: D = max σ_j, VΛVᵀ the covariance
///  random_relu     a = max(0, ·), T_ij ~ N(0, 2/d)/σ_j: Gaussian features of standardised inputs
///  random_fourier  a = √(2/M) cos, T_ij ~ N(0, 1/(d bandwidth²))/σ_j, b uniform in [0, 2π)
/// Holds only this rank's rows of T and b. Random entries are keyed by global indices.
class FeatureMap {
 public:
  /// Collective on the world. Fits mean, scale and correlation to the training samples, of which this rank
  /// holds `count` columns of `x` (inputs x count); the ranks of grid.feature() hold the same ones. Throws
  /// bad_input if nothing varies, if `options.width` exceeds what the data have, or if inputs are of a size
  /// whose square is no number.
  FeatureMap(const ProcessGrid& grid, const FeatureOptions& options, Index inputs, Index count,
             const double* x);

  /// From stored values (a checkpoint). `transform` and `offset` hold the rows of this rank's feature block.
  FeatureMap(const ProcessGrid& grid, FeatureKind kind, bool constant, Index width, std::vector<double> mean,
             std::vector<double> transform, std::vector<double> offset);

  [[nodiscard]] FeatureKind kind() const { return kind_; }
  [[nodiscard]] bool constant() const { return constant_; }
  /// m, the number of features with the constant one.
  [[nodiscard]] Index width() const { return width_; }
  [[nodiscard]] Index inputs() const { return static_cast<Index>(mean_.size()); }
  /// The rows of T that exist: all features but the constant one.
  [[nodiscard]] Index transform_rows() const { return width_ - (constant_ ? 1 : 0); }
  [[nodiscard]] Range rows() const { return rows_; }
  [[nodiscard]] const std::vector<double>& mean() const { return mean_; }  ///< inputs
  [[nodiscard]] const std::vector<double>& transform() const {
    return transform_;
  }  ///< own rows x inputs, row-major
  [[nodiscard]] const std::vector<double>& offset() const { return offset_; }  ///< own rows
  /// The share of each input's variance that the features keep: 1, less where whitening drops directions, 0
  /// for a constant input. Empty where it is not known.
  [[nodiscard]] const std::vector<double>& kept_variance() const { return kept_variance_; }
  void set_kept_variance(std::vector<double> shares) { kept_variance_ = std::move(shares); }
  /// Whether whitening has scaled every input to variance 1 first; maps of an older Poise have not.
  [[nodiscard]] bool standardised() const { return standardised_; }
  void set_standardised(bool standardised) { standardised_ = standardised; }

  /// Not collective. phi (rows().size() x count, column-major) = own rows of φ of the columns of x (inputs x
  /// count).
  void apply(Index count, const double* x, double* phi) const;

 private:
  void set_rows(const ProcessGrid& grid);
  void fit_whitening(const ProcessGrid& grid, const FeatureOptions& options, Index count, const double* x);
  void write_whitening(const FeatureOptions& options, Index rank, const std::vector<double>& scale,
                       const SymmetricEigen& eigen);
  void draw_random(const ProcessGrid& grid, const FeatureOptions& options);
  /// Own rows of T that are not the constant feature.
  [[nodiscard]] Range own_transform_rows() const;

  FeatureKind kind_;
  bool constant_;
  bool standardised_ = true;
  Index width_ = 0;
  Range rows_;
  std::vector<double> mean_;
  std::vector<double> transform_;
  std::vector<double> offset_;
  std::vector<double> kept_variance_;
  ColumnStatistics inputs_;  // of the constructor that fits
};

[[nodiscard]] FeatureKind parse_features(const std::string& name);
[[nodiscard]] std::string to_string(FeatureKind kind);

}  // namespace poise
