#pragma once

#include <functional>
#include <string>
#include <vector>

#include "poise/base/ensemble.hpp"
#include "poise_sweep/settings.hpp"
#include "poise_sweep/table.hpp"

namespace poise::sweep {

/// What a sweep comes to.
struct Verdict {
  std::string text;
  bool held = true;  ///< nothing was violated that must hold
};

/// One of the studies: its members, how one of them is computed, and what the numbers mean.
struct Study {
  std::vector<Column> parameters;            ///< tell the members apart
  std::vector<std::vector<double>> members;  ///< their values
  std::vector<Column> results;               ///< what a member measures
  std::vector<double> costs;                 ///< relative cost of every member
  /// Collective on its communicator. Takes the parameters of a member, returns its results.
  std::function<std::vector<double>(MPI_Comm, const std::vector<double>&)> run;
  /// Collective. Makes what a member uses, so that every solver has asked for its options.
  std::function<void(MPI_Comm, const std::vector<double>&)> rehearse;
  std::vector<std::string> shown;                       ///< result columns of the table on the terminal
  std::function<void(Table&)> compare = [](Table&) {};  ///< fills what needs several members
  std::function<Verdict(const Table&)> verdict;
};

[[nodiscard]] Study width_study(const SweepSettings& settings);
[[nodiscard]] Study step_size_study(const SweepSettings& settings);
[[nodiscard]] Study inexact_study(const SweepSettings& settings);
[[nodiscard]] Study depth_study(const SweepSettings& settings);
[[nodiscard]] Study make_study(const SweepSettings& settings);

/// All combinations of one value of every list, the last list running fastest.
[[nodiscard]] std::vector<std::vector<double>> combinations(const std::vector<std::vector<double>>& lists);
/// 0, 1, …, count − 1.
[[nodiscard]] std::vector<double> counting(std::uint64_t count);

}  // namespace poise::sweep
