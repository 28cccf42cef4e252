#pragma once

#include <memory>
#include <string>
#include <vector>

#include "poise/audit/claims.hpp"
#include "poise/audit/subject.hpp"
#include "poise/linalg/spectral_norm.hpp"

namespace poise {
inline namespace audit {

/// Collective on grid.feature(). Replaces `sums` by the sums over the ranks that share one copy of the
/// weights.
void sum_over_rows(const Subject& subject, std::vector<double>& sums);
/// Collective on the world. The largest value of all ranks; NaN if one rank has NaN.
[[nodiscard]] double largest_over_ranks(const Subject& subject, double value);

/// Checks the recurrent weights of a pointwise model at a few checkpoints: THEORY.md 7.1, 7.4 and the
/// certificates of section 2. Of a different model, which has no such weights, it only reads the certificate.
class WeightInvariants {
 public:
  /// Collective on the world. `subject` must outlive it.
  explicit WeightInvariants(Subject& subject);
  /// Collective on the world. The run must have equilibria, and the subject's map must have the parameters of
  /// `point`.
  void see(const RunPoint& point);
  /// Bound of ‖∂h/∂z‖ at the last seen point; 1 if no bound is known.
  [[nodiscard]] double contraction() const { return contraction_; }
  /// Whether `contraction` bounds the 1-norm; else it bounds the 2-norm.
  [[nodiscard]] bool is_one_norm() const { return one_norm_; }
  [[nodiscard]] bool softmax() const { return pointwise() && kind() == WeightKind::softmax; }
  /// Why no norm of ∂h/∂z is known to be below 1; empty if one is.
  [[nodiscard]] std::string unbounded() const;

  /// Collective on grid.feature(). The norm that `contraction` bounds, of every column of a block (m_f x
  /// columns).
  [[nodiscard]] std::vector<double> column_norms(Index columns, const std::vector<double>& block) const;

  // Rows for the table. `why`: why the row does not apply; empty if it does.
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

  Subject& subject_;
  double contraction_ = 1.0;
  bool one_norm_ = softmax();
  std::unique_ptr<SpectralNorm> norm_;  // of all weights except softmax
  Worst inverse_, u_norm_, perron_, free_norm_, certificate_;
};

}  // namespace audit
}  // namespace poise
