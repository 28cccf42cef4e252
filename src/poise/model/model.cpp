#include "poise/model/model.hpp"

#include "poise/base/error.hpp"

namespace poise {
inline namespace model {

std::vector<RegisteredModel>& registered_models() {
  static std::vector<RegisteredModel> models;
  return models;
}

void register_model(const std::string& name, const std::string& help, ReadModel read) {
  bool taken = name == "softmax_linear" || name == "pointwise" || name == "monotone" || name == "graph";
  for (const auto& model : registered_models()) taken = taken || model.name == name;
  if (taken) throw Error(ExitCode::bad_input, "a model with the name '" + name + "' is known already", true);
  registered_models().push_back({name, help, std::move(read)});
}

}  // namespace model
}  // namespace poise
