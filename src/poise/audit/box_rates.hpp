#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/theory/classification_rates.hpp"

namespace poise {

/// Collective on the world. Excess and constants against the optimum (over |W_ij| <= `box`, which may be
/// infinite). Where it is not found there is nothing, and `why` says so.
[[nodiscard]] std::unique_ptr<ClassificationRates> find_rates(ShallowLoss& loss, double box,
                                                              std::string& why);

/// THEORY.md 5.3 where the infimum is not attained: the excess over the optimum of the smallest box |W_ij| <=
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
