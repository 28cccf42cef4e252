#pragma once

#include "poise/audit/run_checkpoints.hpp"
#include "poise/audit/verdict.hpp"

namespace poise {

/// Not collective. The rows about the files themselves: that they are whole, and in order.
void add_file_rows(const RunCheckpoints& files, VerdictTable& table);

}  // namespace poise
