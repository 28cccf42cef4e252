#pragma once

#include <vector>

#include "poise/run/network.hpp"
#include "poise_compare/settings.hpp"

namespace poise::compare {

/// What all members are made of; both references must outlive them.
struct MemberInput {
  const ProcessGrid& grid;
  const Problem& problem;
  Index features = 0;  ///< with the constant one
  std::uint64_t seed = 0;
};

/// One of the compared models on a group of ranks: a Network of the engine, where it starts, and its W if the
/// model is linear.
class MemberNetwork {
 public:
  /// Collective on the world of the grid. `settings` must outlive it.
  MemberNetwork(const MemberInput& input, const CompareSettings& settings, const ModelSpec& spec);

  [[nodiscard]] const ParameterLayout& layout() const { return network_.layout(); }
  [[nodiscard]] Objective& objective() { return network_.objective(); }
  /// Not collective. The parameters of the start. The implicit model and its truncations start from (A0, B0)
  /// of the seed, the shallow layer from W0 = B0 U⁻¹, a matched deep linear network from identity layers and
  /// the readout W0.
  void initialise(Vec theta) const;
  /// Collective on the world of the grid. W at θ (q x m, column-major), on every rank; empty if the model is
  /// not linear.
  [[nodiscard]] std::vector<double> weight(Vec theta);

 private:
  [[nodiscard]] bool starts_from_w0() const;

  const CompareSettings& settings_;
  ModelSpec spec_;
  std::uint64_t seed_;
  Network network_;
  std::vector<double> start_;  // W0, of models that start from it
};

/// Collective on the world of the grid. W0 = B0 U⁻¹ of the implicit model from the seed, on every rank.
[[nodiscard]] std::vector<double> initial_weight(const MemberInput& input, const CompareSettings& settings);

}  // namespace poise::compare
