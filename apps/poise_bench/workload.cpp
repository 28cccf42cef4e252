#include "poise_bench/workload.hpp"

#include "poise/base/random.hpp"

namespace poise::bench {
namespace {

/// Standard normal features; labels, or for the squared loss standard normal targets.
SampleSet draw_samples(const ParameterLayout& layout, const BenchSettings& settings, double scale, Index n) {
  const CounterRandom features(settings.seed, Stream::synthetic_inputs);
  const CounterRandom targets(settings.seed, Stream::synthetic_noise);
  const Range columns = layout.grid().samples(n);
  const Range rows = layout.block();
  const Index q = layout.outputs();
  SampleSet set{n, columns.size(), {}, {}};
  set.features.reserve(static_cast<std::size_t>(rows.size() * columns.size()));
  set.targets.reserve(static_cast<std::size_t>(q * columns.size()));
  for (Index i = columns.begin; i < columns.end; ++i) {
    for (Index k = rows.begin; k < rows.end; ++k) set.features.push_back(scale * features.normal(i, k));
    const auto label = static_cast<Index>(targets.uniform(i) * static_cast<double>(q == 1 ? 2 : q));
    for (Index c = 0; c < q; ++c) {
      if (settings.loss->targets() == Targets::reals) set.targets.push_back(targets.normal(i, c + 1));
      if (settings.loss->targets() == Targets::binary) set.targets.push_back(static_cast<double>(label));
      if (settings.loss->targets() == Targets::classes) set.targets.push_back(c == label ? 1.0 : 0.0);
    }
  }
  return set;
}

}  // namespace

Recipe Recipe::of(const std::string& case_name, const BenchSettings& settings) {
  Recipe recipe;
  const bool tanh = case_name == "tanh_cold" || case_name == "tanh_warm" || case_name == "depth_memory";
  const bool linear = !tanh && case_name != "hard";
  recipe.shape = {.activation = linear ? Activation::identity : Activation::tanh,
                  .weights = tanh ? WeightKind::free : WeightKind::softmax,
                  .gamma = settings.gamma};
  if (tanh || case_name == "hard") recipe.rtol = 1e-8;
  if (case_name == "hard") recipe.feature_scale = 0.02;
  recipe.warm = case_name == "tanh_warm";
  return recipe;
}

Workload::Workload(MPI_Comm comm, const std::string& case_name, const BenchSettings& settings, Index samples,
                   int feature_ranks)
    : recipe(Recipe::of(case_name, settings)),
      grid(comm, feature_ranks),
      layout(grid, settings.m, settings.q, Pointwise::blocks(recipe.shape, settings.m), settings.matrix_type),
      problem{
          settings.loss, true, settings.q, draw_samples(layout, settings, recipe.feature_scale, samples), {}},
      theta(layout.create()),
      gradient(layout.create()) {
  layout.initialise(theta.get(), settings.seed, settings.init_scale_a, settings.init_scale_b);
}

}  // namespace poise::bench
