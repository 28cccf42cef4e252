#pragma once

#include <string>
#include <utility>
#include <vector>

#include "poise/io/run_file.hpp"
#include "poise_sweep/table.hpp"

namespace poise::sweep {

/// Not collective: for one rank. Writes DIR/sweep.h5, schema "poise-sweep-1", atomically: /members/<column>,
/// a 1-D data set a column with a row for every member and its meaning as the attribute "meaning"; /errors
/// with an attribute "member-K" for every member K that failed; /config with the resolved options; the given
/// root attributes. Throws failure if the file cannot be written.
void write_sweep(const std::string& path, const Table& table, const RunFile::Named& attributes,
                 const RunFile::Config& config);

}  // namespace poise::sweep
