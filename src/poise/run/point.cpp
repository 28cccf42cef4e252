#include "poise/run/point.hpp"

#include "poise/base/check.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {

void KeptPoint::keep(const Point& point) {
  if (empty()) {
    theta_ = duplicate(point.theta);
    for (const auto& [name, vec] : point.vectors) vectors_.emplace_back(name, duplicate(vec));
  }
  check(VecCopy(point.theta, theta_.get()));
  for (std::size_t i = 0; i < vectors_.size(); ++i)
    check(VecCopy(point.vectors[i].second, vectors_[i].second.get()));
  state_ = point.state;
  interval_ = point.interval;
}

Point KeptPoint::point() const {
  Point point{theta_.get(), state_, interval_, {}};
  for (const auto& [name, vec] : vectors_) point.vectors.emplace_back(name, vec.get());
  return point;
}

void KeptEvaluation::keep(const DynamicsState& at, Vec gradient_there, const Evaluation& found) {
  if (!gradient) gradient = duplicate(gradient_there);
  check(VecCopy(gradient_there, gradient.get()));
  state = at;
  evaluation = found;
  is_set = true;
}

}  // namespace poise
