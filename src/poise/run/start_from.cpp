#include "poise/run/start_from.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "poise/run/run_options.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/stored_run.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
namespace {

using Config = std::vector<std::pair<std::string, std::string>>;

bool is_one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// DIR and STEP of DIR[:STEP].
std::pair<std::string, std::string> directory_and_step(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return {text, "last"};
  const std::string step = text.substr(colon + 1);
  const bool number = !step.empty() && step.find_first_not_of("0123456789") == std::string::npos;
  if (!number && !is_one_of(step, {"best", "last"})) return {text, "last"};
  return {text.substr(0, colon), step};
}

/// Whether the weights of a network mean something else if this option has another value.
bool fixes_the_network(const Setting& setting) {
  return setting.category == "features" || is_one_of(setting.name, {"model", "weights"});
}

std::string advice(const Checkpoint& start) {
  return "; leave the options of model and features out: a run with -start_from takes them from " +
         start.path();
}

}  // namespace

std::string start_from_option(Options& options) {
  return options.text("start_from", "",
                      "DIR or DIR:STEP: begin a new run with the weights, the features and the scale of the "
                      "targets of the run in DIR; STEP: a number, last (default) or best; options of model, "
                      "features and loss that are not given have their values of that run",
                      Role{Role::identity, "the run began with these weights"});
}

std::optional<Checkpoint> open_start(MPI_Comm comm) {
  Options early;
  const std::string text = start_from_option(early);
  if (text.empty() || resume_option(early)) return {};
  const auto [directory, step] = directory_and_step(text);
  return open_step(comm, directory, step, "-start_from");
}

std::vector<std::string> recall_network(const Checkpoint& start) {
  const Options own = train_declarations();
  Config config;
  for (const auto& option : start.config()) {
    const Setting* setting = own.find(option.first);
    if (setting == nullptr) continue;  // of a solver
    if (is_one_of(setting->category, {"model", "features", "loss"}) || setting->name == "depth")
      config.push_back(option);
  }
  return recall_options(config, own);
}

void require_same_network(const Checkpoint& start, const Options& options) {
  const Config config = start.config();
  for (const Setting& setting : options.settings()) {
    if (!fixes_the_network(setting)) continue;
    const auto old =
        std::find_if(config.begin(), config.end(), [&](const auto& o) { return o.first == setting.name; });
    if (old != config.end() && !same_value(old->second, setting.value))
      throw usage(fmt::format("-start_from: option -{} is {}, but {} was trained with {}{}", setting.name,
                              setting.value, start.path(), old->second, advice(start)));
  }
}

void require_same_parameters(const Checkpoint& start, const ParameterLayout& layout) {
  const std::string folder = "/parameters/";
  const auto require = [&](const std::string& name, const std::array<Index, 2>& wanted) {
    if (!start.has(folder + name))
      throw usage(fmt::format("-start_from: {} has no parameters {}, which this model needs{}", start.path(),
                              name, advice(start)));
    const std::vector<Index> dims = start.dims(folder + name);
    if (dims.size() != 2 || dims[0] != wanted[0] || dims[1] != wanted[1])
      throw usage(
          fmt::format("-start_from: the parameters {} in {} are {} x {}, but this run needs {} x {} "
                      "(rows and columns of the states, {} outputs){}",
                      name, start.path(), dims.empty() ? 0 : dims[0], dims.size() < 2 ? 1 : dims[1],
                      wanted[0], wanted[1], layout.outputs(), advice(start)));
  };
  for (const ParameterBlock& block : layout.blocks()) require(block.name, {layout.width(), block.columns});
  require("B", {layout.outputs(), layout.width()});
  for (const std::string& name : start.names(folder)) {
    const auto& blocks = layout.blocks();
    const auto same = [&](const ParameterBlock& block) { return block.name == name; };
    if (name != "B" && std::none_of(blocks.begin(), blocks.end(), same))
      throw usage(fmt::format("-start_from: {} has the parameters {}, which this model does not have{}",
                              start.path(), name, advice(start)));
  }
}

void require_same_names(const Checkpoint& start, const DatasetInfo& info) {
  const DataNames stored = DataNames::of(start);
  for (const auto& [what, before, now] : {std::tuple("input", &stored.inputs, &info.input_names),
                                          std::tuple("target", &stored.targets, &info.target_names),
                                          std::tuple("class", &stored.classes, &info.class_names)}) {
    if (before->empty() || now->empty() || *before == *now) continue;
    const auto [old, other] = std::mismatch(before->begin(), before->end(), now->begin(), now->end());
    const auto name = [](auto place, auto end) { return place == end ? "missing" : "'" + *place + "'"; };
    throw usage(
        fmt::format("-start_from: {} {} is {} in {}, but {} in the data of {}; give data with the same "
                    "{} names in the same order, or without names",
                    what, old - before->begin(), name(other, now->end()), info.path, name(old, before->end()),
                    start.path(), what));
  }
}

}  // namespace run
}  // namespace poise
