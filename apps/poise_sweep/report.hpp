#pragma once

#include <string>

#include "poise_sweep/study.hpp"

namespace poise::sweep {

/// The table for the terminal: a line for every group of members that differ in the seed alone, each shown
/// column as its median with [smallest, largest]; below, the failed members with their messages.
[[nodiscard]] std::string table_text(const Study& study, const Table& table);

}  // namespace poise::sweep
