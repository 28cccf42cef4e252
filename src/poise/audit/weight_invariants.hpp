#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/audit/claim.hpp"
#include "poise/audit/subject.hpp"
#include "poise/linalg/spectral_norm.hpp"

namespace poise {

/// Collective on grid.feature(). Sums over the ranks of one copy of the weights.
void sum_over_rows(const Subject& subject, std::vector<double>& sums);
/// Collective on the world. Over all ranks; NaN wins.
[[nodiscard]] double largest_over_ranks(const Subject& subject, double value);

/// Invariants of the recurrent weights of a pointwise model at a few checkpoints: THEORY.md 7.1, 7.4 and the
/// certificates of section 2. Of another model, which has no such weights, only its own certificate.
class WeightInvariants {
 public:
  /// Collective on the world. `subject` must outlive it.
  explicit WeightInvariants(Subject& subject);
  /// Collective on the world. Of a run that has equilibria, at the parameters of the subject's map, which are
  /// those of `point`.
  void see(const RunPoint& point);
  /// Bound of ‖∂h/∂z‖ at the point seen last; 1 where there is none.
  [[nodiscard]] double contraction() const { return contraction_; }
  /// Whether that bound is of the 1-norm; else it is of the 2-norm.
  [[nodiscard]] bool is_one_norm() const { return one_norm_; }

  // Rows for a table. `why`: why a row does not apply, or nothing.
  [[nodiscard]] Row inverse(const std::string& why) const;
  [[nodiscard]] Row u_norm(const std::string& why) const;
  [[nodiscard]] Row perron(const std::string& why) const;
  [[nodiscard]] Row certificate(const std::string& why) const;

 private:
  void see_own_model();
  void see_columns(const RunPoint& point);
  void see_certificate(const RunPoint& point);
  void see_inverse(const RunPoint& point);
  [[nodiscard]] double monotonicity() const;
  [[nodiscard]] const RowBlockMatrix& weights() const { return subject_.map().pointwise_form()->weights; }
  [[nodiscard]] WeightKind kind() const { return subject_.network().weights; }
  [[nodiscard]] bool pointwise() const { return subject_.network().is_pointwise(); }
  [[nodiscard]] bool softmax() const { return pointwise() && kind() == WeightKind::softmax; }

  Subject& subject_;
  double contraction_ = 1.0;
  bool one_norm_ = softmax();
  std::unique_ptr<SpectralNorm> norm_;  // of other weights than softmax
  Worst inverse_, u_norm_, perron_, free_norm_, certificate_;
};

}  // namespace poise
