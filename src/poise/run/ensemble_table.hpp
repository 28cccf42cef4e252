#pragma once

#include <string>
#include <vector>

#include "poise/petsc/options_database.hpp"

namespace poise {

/// One line of the table of an ensemble.
struct EnsembleLine {
  std::string name;
  NamedOptions options;
  std::string where;  ///< FILE:line, for messages
};

/// The table of an ensemble: a line a member, its name, a colon and its options of poise-train; `#` begins a
/// comment; empty lines count for nothing. Words are separated by blanks, without quotes. `path` is for
/// messages. Not collective; every rank has the same text. Throws bad_input, with FILE:line, where a line has
/// not this form, where a name is taken, is none for a folder or stands for a file of the ensemble, where an
/// option stands twice or belongs to the ensemble as a whole, and if there is no member.
[[nodiscard]] std::vector<EnsembleLine> parse_ensemble(const std::string& text, const std::string& path);

}  // namespace poise
