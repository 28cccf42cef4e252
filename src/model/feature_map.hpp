#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/base/process_grid.hpp"

namespace poise {

enum class FeatureKind { identity, whiten, random_relu, random_fourier };

/// What the user asks for (options -features…).
struct FeatureOptions {
  FeatureKind kind = FeatureKind::identity;
  Index width = 0;       ///< -features_width: kept components or random features; 0: as many as there are
  bool constant = true;  ///< -features_constant: append a feature that is 1
  bool zca = false;      ///< -features_zca: rotate whitened features back to the inputs' axes
  double rank_cut =
      1e-4;  ///< -features_rank_cut: drop directions of smaller variance, relative to the largest
  double bandwidth = 1.0;  ///< -features_bandwidth: length scale of random_fourier
  std::uint64_t seed = 0;

  /// Declares and reads the options.
  static FeatureOptions from(Options& options, std::uint64_t seed);
};

/// The fixed features φ of theory.md 1, as φ(x) = a(T(x − μ) + b) with an optional constant row at the end:
///  identity        φ = x
///  whiten          T = Λ^{-1/2}Vᵀ (PCA) or VΛ^{-1/2}Vᵀ (ZCA) of the training covariance VΛVᵀ, so that ΦΦᵀ =
///  n I on
///                  the kept directions (theory.md 8: what makes the rate of Theorem 1 useful)
///  random_relu     a = max(0, ·), T_ij ~ N(0, 2/d)/σ_j: Gaussian features of standardised inputs
///  random_fourier  a = √(2/M) cos, T_ij ~ N(0, 1/(d bandwidth²))/σ_j, b uniform in [0, 2π)
/// Holds only this rank's rows of T and b. Random entries are keyed by global indices.
class FeatureMap {
 public:
  /// Collective on the world. Fits mean, scale and covariance to the training samples, of which this rank
  /// holds `count` columns of `x` (inputs x count); the ranks of grid.feature() hold the same ones. Throws
  /// bad_input if nothing varies, or if `options.width` exceeds what the data have.
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

  /// Not collective. phi (rows().size() x count, column-major) = own rows of φ of the columns of x (inputs x
  /// count).
  void apply(Index count, const double* x, double* phi) const;

 private:
  void set_rows(const ProcessGrid& grid);
  void fit_whitening(const ProcessGrid& grid, const FeatureOptions& options, Index count, const double* x);
  void draw_random(const ProcessGrid& grid, const FeatureOptions& options, Index count, const double* x);
  /// Own rows of T that are not the constant feature.
  [[nodiscard]] Range own_transform_rows() const;

  FeatureKind kind_;
  bool constant_;
  Index width_ = 0;
  Range rows_;
  std::vector<double> mean_;
  std::vector<double> transform_;
  std::vector<double> offset_;
};

[[nodiscard]] FeatureKind parse_features(const std::string& name);
[[nodiscard]] std::string to_string(FeatureKind kind);

}  // namespace poise
