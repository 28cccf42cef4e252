#include "poise/base/check.hpp"
#include "poise/linalg/spectral_norm.hpp"
#include "poise/model/weight_kinds.hpp"

namespace poise {
namespace {

/// W = γ A / max(1, ‖A‖₂).
class SpectralWeights final : public Weights {
 public:
  SpectralWeights(const ParameterLayout& layout, double gamma)
      : layout_(layout),
        block_(layout.block_of("A")),
        gamma_(gamma),
        matrix_(layout.grid().world(), layout.slice_offsets(), layout.matrix_type()),
        norm_(matrix_) {}

  void evaluate(Vec theta, double* slice) override {
    take_columns(layout_, block_, ReadArray(theta).data(), matrix_.rows());
    spectral_norm_ = norm_.compute();
    const double scale = gamma_ / std::max(1.0, spectral_norm_);
    for (Index e = 0; e < size(); ++e) slice[e] = scale * matrix_.rows()[e];
  }

  /// ∂L/∂A = γK for ‖A‖₂ ≤ 1, else γ/‖A‖₂ (K − <K, A>/‖A‖₂ uvᵀ), since uvᵀ is the gradient of ‖A‖₂.
  void pullback(double* k, double* gradient) override {
    const double scale = gamma_ / std::max(1.0, spectral_norm_);
    for (Index e = 0; e < size(); ++e) k[e] *= scale;
    if (spectral_norm_ > 1.0) subtract_gradient_of_norm(k);
    put_columns(layout_, block_, k, gradient);
  }

  void forget() override { norm_.forget(); }
  Certificate certificate() override { return {"2", gamma_}; }

 private:
  [[nodiscard]] Index size() const { return matrix_.local_rows() * matrix_.width(); }

  void subtract_gradient_of_norm(double* k) {
    double inner = 0.0;
    for (Index e = 0; e < size(); ++e) inner += k[e] * matrix_.rows()[e];
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &inner, 1, MPI_DOUBLE, MPI_SUM, layout_.grid().world()));
    const double* v = matrix_.gather(1, norm_.right().data());
    for (Index i = 0; i < matrix_.local_rows(); ++i) {
      const double factor = inner / spectral_norm_ * norm_.left()[i];
      for (Index j = 0; j < matrix_.width(); ++j) k[i * matrix_.width() + j] -= factor * v[j];
    }
  }

  const ParameterLayout& layout_;
  const ParameterBlock& block_;
  double gamma_;
  RowBlockMatrix matrix_;  // A, rows of this rank's slice
  SpectralNorm norm_;
  double spectral_norm_ = 0.0;
};

}  // namespace

std::unique_ptr<Weights> make_spectral_weights(const ParameterLayout& layout, double gamma) {
  return std::make_unique<SpectralWeights>(layout, gamma);
}

}  // namespace poise
