#pragma once

#include <string>

#include "poise/model/model.hpp"
#include "poise/model/pointwise.hpp"

namespace poise {

/// The models that Poise brings: softmax_linear, pointwise and monotone, which are one map of different
/// shapes.
class PointwiseModel final : public Model {
 public:
  /// `name`: the value of -model. `shape.features` is not used.
  PointwiseModel(std::string name, const Pointwise::Shape& shape);

  [[nodiscard]] std::string description() const override;
  [[nodiscard]] bool has_own_width() const override { return shape_.input_weights; }
  [[nodiscard]] std::vector<ParameterBlock> blocks(Index features, Index m) const override;
  [[nodiscard]] std::unique_ptr<EquilibriumMap> make_map(const ParameterLayout& layout,
                                                         Index features) const override;
  [[nodiscard]] double contraction() const override;

 private:
  [[nodiscard]] Pointwise::Shape shape(Index features) const;

  std::string name_;
  Pointwise::Shape shape_;
};

}  // namespace poise
