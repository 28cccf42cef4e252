#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise/audit/verdict.hpp"

namespace poise {

/// What is said of the run beside the rows: names and values.
struct AuditFacts {
  std::string run;
  int ranks = 1;
  std::string grid;  ///< "2x3"
  Index checkpoints = 0, first_step = 0, last_step = 0, replayed_steps = 0;
  double seconds = 0.0;
};

/// The verdict for machines, schema "poise-audit-1": {"schema", "version", "git", "run", "ranks", "grid",
/// "checkpoints", "first_step", "last_step", "replayed_steps", "seconds", "held", "rows": [{"id", "claim",
/// "item", "measured", "relation", "required", "state", "step", "file", "note"}]}. Numbers that are not
/// finite, and what a row does not have, are null.
[[nodiscard]] std::string to_json(const VerdictTable& table, const AuditFacts& facts);

}  // namespace poise
