#include "poise/model/softmax.hpp"
#include "poise/model/weight_kinds.hpp"

namespace poise {
namespace {

/// W = γ σ(A).
class SoftmaxWeights final : public Weights {
 public:
  SoftmaxWeights(const ParameterLayout& layout, double gamma)
      : layout_(layout),
        offset_(layout.block_of("A").offset),
        gamma_(gamma),
        softmax_(static_cast<std::size_t>(layout.slice().size() * layout.width())) {}

  void evaluate(Vec theta, double* slice) override {
    const ReadArray values(theta);
    column_softmax(layout_.grid().world(), layout_.slice().size(), layout_.width(), values.data() + offset_,
                   layout_.row_length(), softmax_.data());
    for (std::size_t i = 0; i < softmax_.size(); ++i) slice[i] = gamma_ * softmax_[i];
  }

  void pullback(double* k, double* gradient) override {
    for (std::size_t i = 0; i < softmax_.size(); ++i) k[i] *= gamma_;
    column_softmax_pullback(layout_.grid().world(), layout_.slice().size(), layout_.width(), softmax_.data(),
                            k, layout_.width(), gradient + offset_, layout_.row_length());
  }

  Certificate certificate() override { return {"1", gamma_}; }

 private:
  const ParameterLayout& layout_;
  Index offset_;
  double gamma_;
  std::vector<double> softmax_;  // the rows of S that this rank owns
};

}  // namespace

std::unique_ptr<Weights> make_softmax_weights(const ParameterLayout& layout, double gamma) {
  return std::make_unique<SoftmaxWeights>(layout, gamma);
}

}  // namespace poise
