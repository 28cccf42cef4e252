#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/model/equilibrium_map.hpp"
#include "poise/model/parameter_layout.hpp"

namespace poise {
inline namespace model {

/// A deep equilibrium model as -model names it, with the values of its options: z* = h(z*; x, θ), f = B z*.
/// Immutable; no method is collective but make_map.
class Model {
 public:
  virtual ~Model() = default;
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  /// The model with its numbers, for the header and the run file: "pointwise, softmax weights, gamma = 0.8".
  [[nodiscard]] virtual std::string description() const = 0;
  /// Whether the state width m is -width. If not, m is the number of features.
  [[nodiscard]] virtual bool has_own_width() const = 0;
  /// The parameters θ but for the readout B, by name and number of columns (each has m rows), with the scale
  /// that entries start at. Checkpoints store and restore them under these names. `features`: rows of φ(x)
  /// with the constant.
  [[nodiscard]] virtual std::vector<ParameterBlock> blocks(Index features, Index m) const = 0;
  /// Collective on the world. The equation itself. `layout`, made of `blocks`, must outlive the map.
  [[nodiscard]] virtual std::unique_ptr<EquilibriumMap> make_map(const ParameterLayout& layout,
                                                                 Index features) const = 0;
  /// A bound below 1 of ‖∂h/∂z‖ at every θ, which the audit derives allowances of rounding from. Where none
  /// is known, as by default, the audit takes 0.99.
  [[nodiscard]] virtual double contraction() const { return 0.99; }
};

/// Declares the options of a model and gives the model with their values. Throws bad_input.
using ReadModel = std::function<std::shared_ptr<const Model>(Options&)>;

/// Makes `-model NAME` known to everything that reads options afterwards. Call it on every rank before a
/// program's entry. The options that `read` declares belong to the model: they are refused with another one,
/// a resumed run must have the same values (unless they are declared with a different Role), and they stand
/// in options.txt and the checkpoints. `help`: the text after "NAME: " in -help. Throws bad_input if the name
/// is taken.
void register_model(const std::string& name, const std::string& help, ReadModel read);

/// A registered model.
struct RegisteredModel {
  std::string name, help;
  ReadModel read;
};
/// In the order of register_model.
[[nodiscard]] std::vector<RegisteredModel>& registered_models();

}  // namespace model
}  // namespace poise
