#pragma once

#include <mpi.h>

#include <optional>
#include <string>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/model/parameter_layout.hpp"
#include "poise/run/training_data.hpp"

namespace poise {
inline namespace run {

// A new run may begin with the weights of an older run (-start_from DIR[:STEP]) instead of random weights. It
// takes the fitted features and the scale of the targets from there, too, because the weights belong to them;
// and the options of model, features and loss, unless they are given.

/// Declares and reads -start_from.
std::string start_from_option(Options& options);

/// Collective. The checkpoint that -start_from names; none without this option, or if the run resumes. Throws
/// bad_input if there is no such checkpoint.
[[nodiscard]] std::optional<Checkpoint> open_start(MPI_Comm comm);

/// Not collective. Sets the options of model, features and loss that the user has not given to their values
/// in the run of `start`. Returns their names.
std::vector<std::string> recall_network(const Checkpoint& start);

/// Not collective. Throws bad_input, the same on every rank, if the options of a new run choose a model,
/// weights or features that differ from the run of `start`.
void require_same_network(const Checkpoint& start, const Options& options);

/// Collective. Throws bad_input unless `start` has exactly the parameters of the layout, by names and shapes.
void require_same_parameters(const Checkpoint& start, const ParameterLayout& layout);

/// Collective. Throws bad_input if columns or classes of the data have different names than in the data of
/// `start`.
void require_same_names(const Checkpoint& start, const DatasetInfo& info);

}  // namespace run
}  // namespace poise
