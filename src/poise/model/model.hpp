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

/// A value of -model with its options: a deep equilibrium model z* = h(z*; x, θ), f = B z*. Immutable; only
/// make_map is collective.
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
  /// The blocks of the parameters θ without the readout B: name, number of columns (each block has m rows)
  /// and scale of the initial entries. Checkpoints store and restore the blocks by these names. `features`:
  /// number of features φ(x), including the constant.
  [[nodiscard]] virtual std::vector<ParameterBlock> blocks(Index features, Index m) const = 0;
  /// Collective on the world. The map h. `layout`, made of `blocks`, must outlive it.
  [[nodiscard]] virtual std::unique_ptr<EquilibriumMap> make_map(const ParameterLayout& layout,
                                                                 Index features) const = 0;
  /// A bound below 1 of ‖∂h/∂z‖ that holds for every θ; the audit derives allowances for rounding from it.
  /// The default 0.99 is for models without a known bound.
  [[nodiscard]] virtual double contraction() const { return 0.99; }
};

/// Declares and reads the options of a model, and returns the model. Throws bad_input.
using ReadModel = std::function<std::shared_ptr<const Model>(Options&)>;

/// Makes `-model NAME` known to all code that reads options afterwards. Call it on every rank before the
/// entry function of a program (such as train_main). The options that `read` declares belong to the model:
/// the program refuses them if a different model is chosen, a resumed run must have the same values (unless
/// `read` gives them a different Role), and options.txt and the checkpoints store them. `help`: the text
/// after "NAME: " in -help. Throws bad_input if the name is taken.
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
