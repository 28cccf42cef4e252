#include "poise/linalg/spectral_norm.hpp"
#include "poise/model/weight_kinds.hpp"

namespace poise {
namespace {

/// W = γA.
class FreeWeights final : public Weights {
 public:
  FreeWeights(const ParameterLayout& layout, double gamma)
      : layout_(layout),
        block_(layout.block_of("A")),
        gamma_(gamma),
        matrix_(layout.grid().world(), layout.slice_offsets(), layout.matrix_type()),
        norm_(matrix_) {}

  void evaluate(Vec theta, double* slice) override {
    take_columns(layout_, block_, ReadArray(theta).data(), matrix_.rows());
    for (Index e = 0; e < size(); ++e) slice[e] = gamma_ * matrix_.rows()[e];
  }

  void pullback(double* k, double* gradient) override {
    for (Index e = 0; e < size(); ++e) k[e] *= gamma_;
    put_columns(layout_, block_, k, gradient);
  }

  void forget() override { norm_.forget(); }
  Certificate certificate() override { return {"2", gamma_ * norm_.compute()}; }

 private:
  [[nodiscard]] Index size() const { return matrix_.local_rows() * matrix_.width(); }

  const ParameterLayout& layout_;
  const ParameterBlock& block_;
  double gamma_;
  RowBlockMatrix matrix_;  // A, rows of this rank's slice
  SpectralNorm norm_;
};

}  // namespace

std::unique_ptr<Weights> make_free_weights(const ParameterLayout& layout, double gamma) {
  return std::make_unique<FreeWeights>(layout, gamma);
}

}  // namespace poise
