#include "poise/objective/minibatches.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "poise/base/error.hpp"

namespace poise {
inline namespace objective {

Minibatches::Minibatches(Range own, Index n, Index batch, std::uint64_t seed, bool keep_remainder)
    : own_(own), n_(n), batch_(batch), keep_remainder_(keep_remainder), order_(n, seed, Stream::minibatch) {
  if (batch < 1 || batch > n)
    throw Error(ExitCode::bad_input,
                fmt::format("option -batch {}: a batch has at least 1 and at most n = {} samples", batch, n),
                true);
}

void Minibatches::sort_epoch(Index epoch) const {
  if (epoch == cached_epoch_) return;
  members_.clear();
  for (Index i = own_.begin; i < own_.end; ++i) {
    const Index batch = place(epoch, i) / batch_;
    if (batch < batches_per_epoch()) members_.push_back({batch, i - own_.begin});
  }
  std::sort(members_.begin(), members_.end());
  cached_epoch_ = epoch;
}

Batch Minibatches::at(Index step) const {
  sort_epoch(epoch(step));
  const Index batch = step % batches_per_epoch();
  const auto first = std::lower_bound(members_.begin(), members_.end(), Member{batch, 0});
  const bool is_rest = batch == n_ / batch_;
  Batch result{false, is_rest ? remainder() : batch_, {}, step};
  for (auto member = first; member != members_.end() && member->batch == batch; ++member)
    result.local.push_back(member->sample);
  return result;
}

}  // namespace objective
}  // namespace poise
