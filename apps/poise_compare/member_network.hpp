#pragma once

#include <memory>
#include <vector>

#include "poise/model/parameter_layout.hpp"
#include "poise/objective/objective.hpp"
#include "poise_compare/settings.hpp"

namespace poise::compare {

/// One of the compared models on a group of ranks: parameters, objective, start, and W where it is linear.
class MemberNetwork {
 public:
  virtual ~MemberNetwork() = default;
  MemberNetwork(const MemberNetwork&) = delete;
  MemberNetwork& operator=(const MemberNetwork&) = delete;

  [[nodiscard]] const ParameterLayout& layout() const { return layout_; }
  [[nodiscard]] virtual Objective& objective() = 0;
  /// Collective on the world of the grid. The parameters of the start.
  virtual void initialise(Vec theta) = 0;
  /// Collective on the world of the grid. W at θ (q x m, column-major), on every rank; empty where the model
  /// is not linear.
  [[nodiscard]] virtual std::vector<double> weight(Vec theta) = 0;

 protected:
  explicit MemberNetwork(ParameterLayout layout) : layout_(std::move(layout)) {}

 private:
  ParameterLayout layout_;
};

/// What all of them are made of; both references must outlive them.
struct MemberInput {
  const ProcessGrid& grid;
  const Problem& problem;
  Index features = 0;  ///< with the constant one
  std::uint64_t seed = 0;
};

/// Collective on the world of the grid. Implicit model and its truncations start from (A0, B0) of the seed,
/// the shallow layer from W0 = B0 U⁻¹, a matched deep linear network from identity layers and the readout W0.
[[nodiscard]] std::unique_ptr<MemberNetwork> make_network(const MemberInput& input,
                                                          const CompareSettings& settings,
                                                          const ModelSpec& spec);

/// Collective on the world of the grid. W0 = B0 U⁻¹ of the implicit model from the seed, on every rank.
[[nodiscard]] std::vector<double> initial_weight(const MemberInput& input, const CompareSettings& settings);

}  // namespace poise::compare
