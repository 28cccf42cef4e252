#include "poise_compare/member_network.hpp"

#include "poise/objective/collapsed_model.hpp"
#include "poise_compare/linear_weight.hpp"

namespace poise::compare {
namespace {

/// W of a collapsed model, on every rank.
std::vector<double> weight_of(CollapsedModel& model, const ParameterLayout& layout, Vec theta) {
  (void)model.set_parameters(theta);
  const Index q = layout.outputs(), rows = layout.slice().size();
  std::vector<double> slice(static_cast<std::size_t>(rows * q));
  transpose(rows, q, model.w(), slice.data());
  return gather_rows(layout, slice.data(), q);
}

}  // namespace

MemberNetwork::MemberNetwork(const MemberInput& input, const CompareSettings& settings, const ModelSpec& spec)
    : settings_(settings),
      spec_(spec),
      seed_(input.seed),
      network_(input.grid, settings.member(spec, input.features), input.problem, input.features),
      start_(starts_from_w0() ? initial_weight(input, settings) : std::vector<double>{}) {}

bool MemberNetwork::starts_from_w0() const {
  return spec_.kind == ModelSpec::Kind::shallow ||
         (spec_.kind == ModelSpec::Kind::feedforward && spec_.linear() && settings_.matched);
}

void MemberNetwork::initialise(Vec theta) const {
  layout().initialise(theta, seed_, 1.0, settings_.init_scale_b);  // the scales of A and V are in the layout
  if (!starts_from_w0()) return;
  for (const ParameterBlock& block : layout().blocks()) set_identity(layout(), block, theta);
  set_readout(layout(), start_, theta);
}

std::vector<double> MemberNetwork::weight(Vec theta) {
  if (!spec_.linear()) return {};
  if (spec_.kind == ModelSpec::Kind::implicit) return weight_of(*network_.collapsed(), layout(), theta);
  const std::vector<double> rows = gather_parameters(layout(), theta);
  if (spec_.kind == ModelSpec::Kind::shallow) return readout_of(layout(), rows);
  if (spec_.kind == ModelSpec::Kind::unrolled)
    return unrolled_weight(layout(), rows, settings_.gamma, spec_.depth);
  return feedforward_weight(layout(), rows, spec_.depth);
}

/// Of the Network of the implicit model only the layout and U are wanted, not its loss, which would pass over
/// all samples.
std::vector<double> initial_weight(const MemberInput& input, const CompareSettings& settings) {
  const ParameterLayout layout(input.grid, input.features, input.problem.outputs);
  CollapsedModel model(layout, settings.gamma);
  const VecHandle theta = layout.create();
  layout.initialise(theta.get(), input.seed, settings.init_scale_a, settings.init_scale_b);
  return weight_of(model, layout, theta.get());
}

}  // namespace poise::compare
