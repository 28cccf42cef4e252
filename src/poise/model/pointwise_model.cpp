#include "poise/model/pointwise_model.hpp"

#include <algorithm>

namespace poise {

PointwiseModel::PointwiseModel(std::string name, const Pointwise::Shape& shape)
    : name_(std::move(name)), shape_(shape) {}

Pointwise::Shape PointwiseModel::shape(Index features) const {
  Pointwise::Shape shape = shape_;
  shape.features = features;
  return shape;
}

std::string PointwiseModel::description() const {
  const std::string a = to_string(shape_.activation);
  if (shape_.weights == WeightKind::monotone) return name_ + ", margin = " + to_text(shape_.gamma) + ", " + a;
  const std::string gamma = "gamma = " + to_text(shape_.gamma);
  if (shape_.activation == Activation::identity && !shape_.input_weights && !shape_.bias &&
      shape_.weights == WeightKind::softmax && name_ != "pointwise")
    return name_ + ", " + gamma;
  return name_ + ", " + to_string(shape_.weights) + " weights, " + gamma + ", " + a;
}

std::vector<ParameterBlock> PointwiseModel::blocks(Index features, Index m) const {
  return Pointwise::blocks(shape(features), m);
}

std::unique_ptr<EquilibriumMap> PointwiseModel::make_map(const ParameterLayout& layout,
                                                         Index features) const {
  return std::make_unique<Pointwise>(layout, shape(features));
}

double PointwiseModel::contraction() const {
  const double bound = shape_.weights == WeightKind::monotone ? 1.0 - shape_.gamma : shape_.gamma;
  return std::min(bound, 0.99);
}

}  // namespace poise
