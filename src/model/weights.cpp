#include "poise/model/weights.hpp"

#include <cmath>

#include "poise/base/error.hpp"
#include "poise/model/softmax.hpp"

namespace poise {
namespace {

/// W = γ σ(A).
class SoftmaxWeights final : public Weights {
 public:
  SoftmaxWeights(const ParameterLayout& layout, double gamma)
      : layout_(layout),
        gamma_(gamma),
        softmax_(static_cast<std::size_t>(layout.slice().size() * layout.width())) {}

  void evaluate(Vec theta, double* slice) override {
    const ReadArray values(theta);
    column_softmax(layout_.grid().world(), layout_.slice().size(), layout_.width(), values.data(),
                   layout_.row_length(), softmax_.data());
    for (std::size_t i = 0; i < softmax_.size(); ++i) slice[i] = gamma_ * softmax_[i];
  }

  void pullback(double* k, double* gradient) override {
    for (std::size_t i = 0; i < softmax_.size(); ++i) k[i] *= gamma_;
    column_softmax_pullback(layout_.grid().world(), layout_.slice().size(), layout_.width(), softmax_.data(), k,
                            layout_.width(), gradient, layout_.row_length());
  }

  Certificate certificate() override { return {"1", gamma_}; }

 private:
  const ParameterLayout& layout_;
  double gamma_;
  std::vector<double> softmax_;  // the rows of S that this rank owns
};

}  // namespace

WeightKind parse_weights(const std::string& name) {
  if (name == "softmax") return WeightKind::softmax;
  if (name == "spectral") return WeightKind::spectral;
  if (name == "free") return WeightKind::free;
  if (name == "monotone") return WeightKind::monotone;
  throw bad_input("unknown weights '" + name + "': choose softmax, spectral, free or monotone");
}

std::string to_string(WeightKind kind) {
  switch (kind) {
    case WeightKind::softmax:
      return "softmax";
    case WeightKind::spectral:
      return "spectral";
    case WeightKind::free:
      return "free";
    case WeightKind::monotone:
      return "monotone";
  }
  return {};
}

std::vector<ParameterBlock> weight_blocks(WeightKind kind, Index m) {
  const double scale = kind == WeightKind::softmax ? 1.0 : 0.5 / std::sqrt(static_cast<double>(m));
  if (kind != WeightKind::monotone) return {{.name = "A", .columns = m, .scale = scale}};
  return {{.name = "P", .columns = m, .scale = scale}, {.name = "Q", .columns = m, .scale = scale}};
}

std::unique_ptr<Weights> make_weights(WeightKind kind, const ParameterLayout& layout, double gamma) {
  if (kind == WeightKind::softmax) return std::make_unique<SoftmaxWeights>(layout, gamma);
  struct FreeTmp final : Weights {
    FreeTmp(const ParameterLayout& l, double g) : l_(l), g_(g) {}
    void evaluate(Vec theta, double* slice) override {
      const ReadArray v(theta);
      for (Index i = 0; i < l_.slice().size(); ++i)
        for (Index j = 0; j < l_.width(); ++j) slice[i * l_.width() + j] = g_ * v[i * l_.row_length() + j];
    }
    void pullback(double* k, double* g) override {
      for (Index i = 0; i < l_.slice().size(); ++i)
        for (Index j = 0; j < l_.width(); ++j) g[i * l_.row_length() + j] = g_ * k[i * l_.width() + j];
    }
    Certificate certificate() override { return {}; }
    const ParameterLayout& l_;
    double g_;
  };
  return std::make_unique<FreeTmp>(layout, gamma);
}

}  // namespace poise
