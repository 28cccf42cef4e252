#include "poise/objective/warm_start.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"

namespace poise {

WarmStart::WarmStart(Index rows, Index samples, std::size_t blocks, std::size_t points)
    : rows_(rows), samples_(samples), points_(points) {
  for (Point& point : points_)
    point.blocks.assign(blocks, std::vector<double>(static_cast<std::size_t>(rows * samples)));
  known_.assign(blocks, std::vector<char>(static_cast<std::size_t>(samples), 0));
}

void WarmStart::clear() {
  held_ = used_ = 0;
  open_ = false;
  for (auto& known : known_) std::fill(known.begin(), known.end(), static_cast<char>(0));
}

double WarmStart::bytes() const {
  return 8.0 * static_cast<double>(rows_ * samples_) * static_cast<double>(points_.size() * known_.size());
}

void WarmStart::begin(Vec theta, bool minibatch) {
  if (open_ || minibatch != minibatch_) clear();  // the last pass failed, or was of another kind
  minibatch_ = minibatch;
  open_ = true;
  if (minibatch) return;
  choose_weights(theta);
  newest_ = (newest_ + 1) % points_.size();
  VecHandle& copy = points_[newest_].theta;
  if (!copy) copy = duplicate(theta);
  check(VecCopy(theta, copy.get()));
}

// Nodes are the positions s of earlier parameters along the step from the newest (s = 0) to the new ones (s =
// 1). A point is used if it lies near that line and apart from the others; Lagrange's weights must stay
// small, because they multiply the tolerance that the remembered states were solved to.
void WarmStart::choose_weights(Vec theta) {
  used_ = std::min<std::size_t>(held_, 1);
  if (held_ == 0) return;
  point(0).weight = 1.0;
  if (held_ == 1) return;
  const VecHandle step = duplicate(theta);
  const VecHandle back = duplicate(theta);
  check(VecWAXPY(step.get(), -1.0, point(0).theta.get(), theta));
  double length2 = 0.0;
  check(VecDot(step.get(), step.get(), &length2));
  if (!(length2 > 0.0)) return;
  std::vector<double> nodes{0.0};
  for (std::size_t age = 1; age < held_; ++age) {
    check(VecWAXPY(back.get(), -1.0, point(0).theta.get(), point(age).theta.get()));
    double along = 0.0;
    double distance2 = 0.0;
    check(VecDot(back.get(), step.get(), &along));
    check(VecDot(back.get(), back.get(), &distance2));
    const double s = along / length2;
    const double off = distance2 / length2 - s * s;
    if (!(std::abs(s - nodes.back()) > 0.2) || s > 0.8 || off > 0.1 * s * s) break;
    nodes.push_back(s);
    std::vector<double> weights;
    double sum = 0.0;
    for (std::size_t j = 0; j < nodes.size(); ++j) {
      double weight = 1.0;
      for (std::size_t k = 0; k < nodes.size(); ++k)
        if (k != j) weight *= (1.0 - nodes[k]) / (nodes[j] - nodes[k]);
      weights.push_back(weight);
      sum += std::abs(weight);
    }
    if (sum > 20.0) break;
    used_ = nodes.size();
    for (std::size_t j = 0; j < used_; ++j) point(j).weight = weights[j];
  }
}

bool WarmStart::predict(std::size_t block, const Index* samples, Index p, double* out) const {
  if (minibatch_) {
    const auto& known = known_[block];
    if (!std::all_of(samples, samples + p, [&](Index i) { return known[i] != 0; })) return false;
    for (Index c = 0; c < p; ++c)
      std::copy_n(points_[0].blocks[block].data() + samples[c] * rows_, rows_, out + c * rows_);
    return true;
  }
  if (used_ == 0) return false;
  for (Index c = 0; c < p; ++c) {
    double* column = out + c * rows_;
    std::fill_n(column, rows_, 0.0);
    for (std::size_t age = 1; age <= used_; ++age) {  // the newest point is now one back: see begin
      const Point& from = point(age);
      const double* x = from.blocks[block].data() + samples[c] * rows_;
      for (Index i = 0; i < rows_; ++i) column[i] += from.weight * x[i];
    }
  }
  return true;
}

void WarmStart::record(std::size_t block, const Index* samples, Index p, const double* in) {
  auto& target = points_[minibatch_ ? 0 : newest_].blocks[block];
  for (Index c = 0; c < p; ++c) {
    std::copy_n(in + c * rows_, rows_, target.data() + samples[c] * rows_);
    if (minibatch_) known_[block][samples[c]] = 1;
  }
}

void WarmStart::end() {
  open_ = false;
  if (!minibatch_) held_ = std::min(held_ + 1, points_.size());
}

}  // namespace poise
