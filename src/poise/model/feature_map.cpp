#include "poise/model/feature_map.hpp"

#include <algorithm>
#include <utility>

#include "poise/base/error.hpp"

namespace poise {
inline namespace model {
namespace {

using Makers = std::vector<std::function<std::shared_ptr<FeatureMap>()>>;

Makers& makers() {
  static Makers table{identity_features, [] { return whiten_features(); }, random_relu_features,
                      [] { return random_fourier_features(); }, unit_row_features};
  return table;
}

/// One map of every kind, with default options.
std::vector<std::shared_ptr<FeatureMap>> known_maps() {
  std::vector<std::shared_ptr<FeatureMap>> maps;
  for (const auto& make : makers()) maps.push_back(make());
  return maps;
}

Range without_constant(Range rows, Index features) {
  const Index end = std::min(rows.end, features);
  return {std::min(rows.begin, end), end};
}

}  // namespace

Range FeatureSamples::rows(Index features) const {
  return block_range(features + (constant ? 1 : 0), grid.feature_ranks(), grid.feature_index());
}

Range FeatureSamples::feature_rows(Index features) const {
  return without_constant(rows(features), features);
}

Features::Features(const ProcessGrid& grid, std::shared_ptr<const FeatureMap> map, FeatureNumbers numbers)
    : map_(std::move(map)),
      numbers_(std::move(numbers)),
      rows_(block_range(numbers_.width, grid.feature_ranks(), grid.feature_index())) {}

Range Features::feature_rows() const {
  return without_constant(rows_, count());
}

const std::vector<double>& Features::block(const std::string& name) const {
  static const std::vector<double> none;
  const std::vector<FeatureBlock> blocks = map_->blocks(inputs());
  for (std::size_t k = 0; k < blocks.size(); ++k)
    if (blocks[k].name == name) return numbers_.blocks[k];
  return none;
}

void Features::apply(Index count, const double* x, double* phi) const {
  map_->apply(*this, count, x, phi);
  const Index height = rows_.size();
  if (feature_rows().size() == height) return;
  for (Index i = 0; i < count; ++i) phi[(i + 1) * height - 1] = 1.0;
}

void Features::save(Snapshot& snapshot, Range part) const {
  snapshot.add_text("/features", "kind", map_->name());
  snapshot.add_integer("/features", "width", width());
  snapshot.add_integer("/features", "inputs", inputs());
  snapshot.add_integer("/features", "constant", constant() ? 1 : 0);
  snapshot.add_integer("/features", "standardised", numbers_.standardised ? 1 : 0);
  if (!numbers_.kept_variance.empty())
    snapshot.add_array("/features/kept_variance", {inputs()}, numbers_.kept_variance, "input");
  snapshot.add_array("/features/mean", {inputs()}, mean(), "input");
  const std::vector<FeatureBlock> blocks = map_->blocks(inputs());
  for (std::size_t k = 0; k < blocks.size(); ++k) {
    const Index columns = blocks[k].columns;
    snapshot.add_rows("/features/" + blocks[k].name, width(), columns, part,
                      numbers_.blocks[k].data() + (part.begin - rows_.begin) * columns, columns,
                      columns == 1 ? "feature one" : "feature input");
  }
}

void register_features(std::function<std::shared_ptr<FeatureMap>()> make) {
  const std::string name = make()->name();
  for (const auto& map : known_maps())
    if (map->name() == name)
      throw Error(ExitCode::bad_input, "a feature map with the name '" + name + "' is known already", true);
  makers().push_back(std::move(make));
}

FeatureSettings FeatureSettings::from(Options& options, std::uint64_t seed) {
  const Options::Category category(options, "features");
  const auto maps = known_maps();
  std::vector<std::string> names, with_width;
  std::string help = "features that the model computes from the inputs", width_help;
  for (const auto& map : maps) {
    names.push_back(map->name());
    help += "; " + map->name() + ": " + map->help();
    if (map->width_help().empty()) continue;
    width_help += (with_width.empty() ? "" : "; ") + map->name() + ": " + map->width_help();
    with_width.push_back(map->name());
  }
  FeatureSettings f;
  const std::string name = options.choice("features", "whiten", names, help);
  {
    const Options::OnlyWith only(options, {"features", with_width});
    f.width = options.integer("features_width", 0, {0, 1e7}, width_help);
  }
  f.constant = options.flag("features_constant", true, "append the constant 1 to the features");
  for (const auto& map : maps) {
    const Options::OnlyWith only(options, {"features", {map->name()}});
    map->read(options);
    if (map->name() == name) f.map = map;
  }
  f.seed = seed;
  return f;
}

Features FeatureSettings::fit(const ProcessGrid& grid, Index inputs, Index count, const double* x,
                              std::optional<bool> standardise) const {
  const FeatureSamples samples{
      grid, width, constant, seed, count, x, column_statistics(grid, inputs, count, x), standardise};
  FeatureNumbers numbers{.constant = constant, .mean = samples.inputs.mean};
  for (Index j = 0; j < inputs; ++j) numbers.kept_variance.push_back(samples.inputs.varies(j) ? 1.0 : 0.0);
  numbers.width = map->fit(samples, numbers) + (constant ? 1 : 0);
  return {grid, map, std::move(numbers)};
}

}  // namespace model
}  // namespace poise
