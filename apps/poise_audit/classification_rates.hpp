#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "poise/theory/audit.hpp"
#include "poise/theory/classification_constants.hpp"
#include "poise/theory/classification_reference.hpp"
#include "poise/theory/convex_optimum.hpp"

namespace poise {

/// Excess and constants of theory.md 5.3 for a run of a classification loss, which is seen point by point.
class ClassificationRates {
 public:
  /// Collective on the world. `loss` must outlive it. Finds L*; where that fails it goes on without (see
  /// `statement`).
  explicit ClassificationRates(ShallowLoss& loss);

  /// Collective on the world. Replaces excess and gradient of a sample at W by those against L*, and widens
  /// the sets that the constants are of. Returns by how much the excess may be off, which is in the sample.
  double measure(const double* w, AuditSample& sample);

  /// Collective on the world. κ of the outputs reached by W* and every W seen; NaN where L* is not attained
  /// or the features are not of full rank.
  [[nodiscard]] double kappa_outputs() const;
  /// The same of the ball ‖W‖₁ <= radius() that holds them all. Not collective.
  [[nodiscard]] double kappa_ball() const;
  [[nodiscard]] double radius() const { return radius_; }
  /// Whether L* has no comparator: the data are separable, at least in part. Then `BoxRates` have one.
  [[nodiscard]] bool needs_box() const { return !optimum_ || !optimum_->attained; }
  /// What is known of L*, for a note.
  [[nodiscard]] std::string statement() const;
  /// Why L* was not found, as for data that are separable in part; empty if it was.
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  [[nodiscard]] bool has_constants() const;

  ShallowLoss& loss_;
  std::optional<ConvexOptimum> optimum_;
  std::string failure_;  // why there is none
  std::unique_ptr<ClassificationReference> reference_;
  std::unique_ptr<ClassificationConstants> constants_;
  std::vector<double> spreads_;
  double radius_ = 0.0;
};

/// theory.md 5.3 where the infimum is not attained: the excess over the optimum of the smallest box |W_ij| <=
/// r that holds every W seen, and the constant of the outputs reached. The box is known at the end only, so
/// the weights are kept: m q numbers a point over all ranks.
class BoxRates {
 public:
  /// Not collective. `loss` must outlive it.
  explicit BoxRates(ShallowLoss& loss) : loss_(loss) {}
  /// Not collective. `sample` as LiveAudit measured it.
  void keep(const double* w, const AuditSample& sample, const std::string& file);

  struct Point {
    AuditSample sample;  ///< excess and gradient against the box's optimum
    double uncertainty = 0.0;
    std::string file;
  };
  /// Collective on the world. Solves for the optimum and measures all points kept. Returns why that is
  /// impossible, or nothing.
  [[nodiscard]] std::string solve();
  [[nodiscard]] const std::vector<Point>& points() const { return points_; }
  [[nodiscard]] double kappa() const { return kappa_; }
  /// "L* = … on |W_ij| <= …".
  [[nodiscard]] const std::string& statement() const { return statement_; }

 private:
  ShallowLoss& loss_;
  std::vector<Point> points_;
  std::vector<std::vector<double>> weights_;
  double kappa_ = 0.0;
  std::string statement_;
};

}  // namespace poise
