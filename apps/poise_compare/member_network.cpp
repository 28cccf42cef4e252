#include "poise_compare/member_network.hpp"

#include <utility>

#include "poise/model/pointwise.hpp"
#include "poise/objective/collapsed_objective.hpp"
#include "poise/objective/equilibrium_objective.hpp"
#include "poise/objective/feedforward_objective.hpp"
#include "poise/objective/shallow_objective.hpp"
#include "poise/objective/unrolled_objective.hpp"
#include "poise_compare/linear_weight.hpp"

namespace poise::compare {
namespace {

/// The linear equation, THEORY.md 2.1.
Pointwise::Shape linear_shape(const CompareSettings& settings, Index features) {
  return {.activation = Activation::identity,
          .weights = WeightKind::softmax,
          .gamma = settings.gamma,
          .features = features};
}

ParameterLayout implicit_layout(const MemberInput& input, const CompareSettings& settings) {
  const Index m = input.features;
  return {input.grid, m, input.problem.outputs, Pointwise::blocks(linear_shape(settings, m), m),
          settings.problem.matrix_type};
}

Index panel_width(const CompareSettings& settings, Index width) {
  return settings.panel > 0 ? settings.panel : EquilibriumObjective::default_panel(width);
}

class ImplicitNetwork final : public MemberNetwork {
 public:
  ImplicitNetwork(const MemberInput& input, const CompareSettings& settings)
      : MemberNetwork(implicit_layout(input, settings)),
        seed_(input.seed),
        settings_(settings),
        model_(layout(), settings.gamma),
        loss_(layout(), input.problem),
        objective_(model_, loss_) {}

  Objective& objective() override { return objective_; }
  void initialise(Vec theta) override {
    layout().initialise(theta, seed_, settings_.init_scale_a, settings_.init_scale_b);
  }
  std::vector<double> weight(Vec theta) override {
    (void)model_.set_parameters(theta);
    const Index q = layout().outputs(), rows = layout().slice().size();
    std::vector<double> slice(static_cast<std::size_t>(rows * q));
    transpose(rows, q, model_.w(), slice.data());
    return gather_rows(layout(), slice.data(), q);
  }

 private:
  std::uint64_t seed_;
  const CompareSettings& settings_;
  CollapsedModel model_;
  ShallowLoss loss_;
  CollapsedObjective objective_;
};

class UnrolledNetwork final : public MemberNetwork {
 public:
  UnrolledNetwork(const MemberInput& input, const CompareSettings& settings, Index depth)
      : MemberNetwork(implicit_layout(input, settings)),
        seed_(input.seed),
        settings_(settings),
        depth_(depth),
        map_(layout(), linear_shape(settings, input.features)),
        objective_(layout(), map_, input.problem, panel_width(settings, input.features), {.depth = depth}) {}

  Objective& objective() override { return objective_; }
  void initialise(Vec theta) override {
    layout().initialise(theta, seed_, settings_.init_scale_a, settings_.init_scale_b);
  }
  std::vector<double> weight(Vec theta) override {
    return unrolled_weight(layout(), gather_parameters(layout(), theta), settings_.gamma, depth_);
  }

 private:
  std::uint64_t seed_;
  const CompareSettings& settings_;
  Index depth_;
  Pointwise map_;
  UnrolledObjective objective_;
};

class ShallowNetwork final : public MemberNetwork {
 public:
  ShallowNetwork(const MemberInput& input, const CompareSettings& settings)
      : MemberNetwork({input.grid, input.features, input.problem.outputs, {}, settings.problem.matrix_type}),
        start_(initial_weight(input, settings)),
        objective_(layout(), input.problem, panel_width(settings, input.features)) {}

  Objective& objective() override { return objective_; }
  void initialise(Vec theta) override { set_readout(layout(), start_, theta); }
  std::vector<double> weight(Vec theta) override {
    return readout_of(layout(), gather_parameters(layout(), theta));
  }

 private:
  std::vector<double> start_;
  ShallowObjective objective_;
};

class FeedforwardNetwork final : public MemberNetwork {
 public:
  FeedforwardNetwork(const MemberInput& input, const CompareSettings& settings, const Feedforward& shape,
                     Index width)
      : MemberNetwork({input.grid, width, input.problem.outputs, FeedforwardObjective::blocks(shape, width),
                       settings.problem.matrix_type}),
        seed_(input.seed),
        settings_(settings),
        shape_(shape),
        start_(matched() ? initial_weight(input, settings) : std::vector<double>{}),
        objective_(layout(), input.problem, panel_width(settings, width), shape) {}

  Objective& objective() override { return objective_; }
  void initialise(Vec theta) override {
    layout().initialise(theta, seed_, settings_.feedforward_scale, settings_.init_scale_b);
    if (!matched()) return;
    for (const ParameterBlock& block : layout().blocks()) set_identity(layout(), block, theta);
    set_readout(layout(), start_, theta);
  }
  std::vector<double> weight(Vec theta) override {
    if (shape_.activation != Activation::identity) return {};
    return feedforward_weight(layout(), gather_parameters(layout(), theta), shape_.depth);
  }

 private:
  [[nodiscard]] bool matched() const {
    return settings_.matched && shape_.activation == Activation::identity;
  }

  std::uint64_t seed_;
  const CompareSettings& settings_;
  Feedforward shape_;
  std::vector<double> start_;
  FeedforwardObjective objective_;
};

}  // namespace

std::unique_ptr<MemberNetwork> make_network(const MemberInput& input, const CompareSettings& settings,
                                            const ModelSpec& spec) {
  switch (spec.kind) {
    case ModelSpec::Kind::implicit:
      return std::make_unique<ImplicitNetwork>(input, settings);
    case ModelSpec::Kind::unrolled:
      return std::make_unique<UnrolledNetwork>(input, settings, spec.depth);
    case ModelSpec::Kind::shallow:
      return std::make_unique<ShallowNetwork>(input, settings);
    case ModelSpec::Kind::feedforward:
      break;
  }
  const Feedforward shape{
      .depth = spec.depth, .activation = spec.activation, .features = input.features, .bias = false};
  const Index width = settings.feedforward_width > 0 ? settings.feedforward_width : input.features;
  return std::make_unique<FeedforwardNetwork>(input, settings, shape, width);
}

std::vector<double> initial_weight(const MemberInput& input, const CompareSettings& settings) {
  ParameterLayout layout = implicit_layout(input, settings);
  CollapsedModel model(layout, settings.gamma);
  const VecHandle theta = layout.create();
  layout.initialise(theta.get(), input.seed, settings.init_scale_a, settings.init_scale_b);
  (void)model.set_parameters(theta.get());
  const Index q = layout.outputs(), rows = layout.slice().size();
  std::vector<double> slice(static_cast<std::size_t>(rows * q));
  transpose(rows, q, model.w(), slice.data());
  return gather_rows(layout, slice.data(), q);
}

}  // namespace poise::compare
