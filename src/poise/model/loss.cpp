#include "poise/model/loss.hpp"

#include <algorithm>
#include <limits>

#include "poise/base/error.hpp"

namespace poise {
namespace {

struct Known {
  std::vector<const Loss*> losses{squared_loss(), logistic_loss(), cross_entropy_loss()};
  std::vector<std::unique_ptr<const Loss>> own;
};

Known& known() {
  static Known table;
  return table;
}

const Loss* loss_or_null(const std::string& name) {
  const auto& losses = known().losses;
  const auto found =
      std::find_if(losses.begin(), losses.end(), [&](auto* loss) { return loss->name() == name; });
  return found == losses.end() ? nullptr : *found;
}

}  // namespace

void Loss::multiply_curvature(Index /*outputs*/, Index /*p*/, const double* /*slopes*/, double* /*v*/,
                              const double* /*weights*/) const {
  throw Error(ExitCode::bad_input, "-loss " + name() + " does not state its curvature", true);
}

double Loss::largest_curvature() const {
  return std::numeric_limits<double>::infinity();
}

void register_loss(std::unique_ptr<const Loss> loss) {
  if (loss_or_null(loss->name()) != nullptr)
    throw Error(ExitCode::bad_input, "a loss of the name '" + loss->name() + "' is known already", true);
  known().losses.push_back(loss.get());
  known().own.push_back(std::move(loss));
}

std::vector<std::string> loss_names(bool (Loss::*property)() const) {
  std::vector<std::string> names;
  for (const Loss* loss : known().losses)
    if (property == nullptr || (loss->*property)()) names.push_back(loss->name());
  return names;
}

std::string loss_help() {
  std::string text;
  for (const Loss* loss : known().losses) {
    const std::string help = loss->help();
    if (!help.empty()) text += "; " + loss->name() + " " + help;
  }
  return text;
}

const Loss* find_loss(const std::string& name) {
  if (const Loss* loss = loss_or_null(name)) return loss;
  std::string names;
  for (const auto& each : loss_names()) names += (names.empty() ? "" : ", ") + each;
  throw Error(ExitCode::bad_input, "unknown loss '" + name + "': choose one of " + names, true);
}

}  // namespace poise
