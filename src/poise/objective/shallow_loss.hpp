#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "poise/model/parameter_layout.hpp"
#include "poise/objective/objective.hpp"
#include "poise/objective/triangular_factor.hpp"

namespace poise {
inline namespace objective {

/// The loss of the shallow explicit layer, THEORY.md 2.5: L₀(W) = s Σ ℓ(Wφ(x_i), y_i) and G = ∇L₀(W). W and G
/// are q x m and always held transposed in world slices: slice rows x q, column-major. Squared loss uses only
/// the triangle of the samples, formed once (THEORY.md 3.1): an evaluation, s (‖R₁Wᵀ − T‖² + ‖R₂‖²), then
/// costs the same for any n, and is as exact as an evaluation from the residuals of all samples.
class ShallowLoss {
 public:
  /// Collective on the world. `layout` and `problem` must outlive it.
  ShallowLoss(const ParameterLayout& layout, const Problem& problem);

  /// Collective on the world. Loss and G of the training samples; accuracy is filled only if there is no
  /// triangle.
  Score value_and_gradient(const double* w, double* gradient);
  /// Collective on the world. Loss and accuracy of a set of samples.
  Score score(const double* w, const SampleSet& samples);

  /// Collective on the world. Fixes the W of the Hessian products that follow.
  void linearise(const double* w);
  /// Collective on the world. out = ∇²L₀(W) V, the exact Hessian (f is linear in W) at the W of `linearise`;
  /// v and out are slice rows x q and may be the same.
  void hessian_product(const double* v, double* out);

  /// Collective on the world. out = V ΦΩΦᵀ of the training samples, Ω their weights; v and out as in
  /// `hessian_product`.
  void gram_product(const double* v, double* out);
  /// Takes WΦ of the samples [first, first + columns) of this rank: outputs x columns, column-major, the same
  /// on the ranks of grid.feature(). The visitor may change the outputs; it must not communicate.
  using OutputVisitor = std::function<void(Index first, Index columns, double* outputs)>;
  /// Collective on the world. Shows WΦ, a panel of samples at a time.
  void visit_outputs(const double* w, const SampleSet& samples, const OutputVisitor& visit);
  /// Collective on the world. out = s Σ_i c_i φ_iᵀ, where `visit` replaces Wφ_i by c_i, which includes the
  /// sample's weight; slice rows x q.
  void sum_over_outputs(const double* w, const SampleSet& samples, const OutputVisitor& visit, double* out);

  /// The triangle of the training samples; null unless the loss is the squared loss.
  [[nodiscard]] const TriangularFactor* factor() const { return factor_.get(); }
  [[nodiscard]] const Problem& problem() const { return problem_; }
  [[nodiscard]] const ParameterLayout& layout() const { return layout_; }

 private:
  Score evaluate_factor(const double* w, double* gradient);
  /// block_ = W of this rank's feature rows, for the passes over panels of samples.
  void load_block(const double* w);
  /// outputs_ (q x columns) = W Φ of a panel.
  void multiply_panel(const double* phi, Index columns);
  /// gradient_block_ += outputs_ Φᵀ.
  void add_panel(const double* phi, Index columns);
  void write_sum(double scale, double* out);
  /// `with_sum`: whether to add the outputs that `visit` has changed to gradient_block_. A null pointer
  /// cannot tell: a rank without rows passes null blocks and must still take part.
  void pass_over_panels(const double* w, const SampleSet& samples, bool with_sum, const OutputVisitor& visit);
  Score pass_over_samples(const double* w, const SampleSet& samples, bool with_gradient, double* gradient);

  const ParameterLayout& layout_;
  const Problem& problem_;
  std::unique_ptr<TriangularFactor> factor_;
  std::vector<double> slice_, block_, gradient_block_, outputs_, transposed_;
  std::vector<double> probabilities_;  // of the training samples at the W of `linearise`
};

}  // namespace objective
}  // namespace poise
