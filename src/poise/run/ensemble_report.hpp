#pragma once

#include <mpi.h>

#include <vector>

#include "poise/run/ensemble_plan.hpp"
#include "poise/run/ensemble_record.hpp"

namespace poise {

/// What a person sees of an ensemble. Not collective but where it says so.
class EnsembleReport {
 public:
  /// Collective.
  EnsembleReport(MPI_Comm comm, const EnsembleSettings& settings);

  /// Printed by rank 0, as is the summary.
  void header(std::size_t members, std::size_t pending) const;
  /// One line, by the rank that calls it.
  void ended(const MemberRecord& record) const;
  void summary(const std::vector<MemberRecord>& records) const;

 private:
  const EnsembleSettings& settings_;
  int rank_ = 0, ranks_ = 1;
  double start_;
};

}  // namespace poise
