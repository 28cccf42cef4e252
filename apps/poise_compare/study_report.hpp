#pragma once

#include <string>

#include "poise_compare/reference.hpp"
#include "poise_compare/study.hpp"

namespace poise::compare {

/// What a person sees of a study, as one text: the problem, then a row a model with median [least, largest]
/// over the seeds at the end of the flow, then the distance of the truncations, then who failed. Not
/// collective.
[[nodiscard]] std::string study_report(const Study& study, const CompareReference& reference,
                                       const CompareSettings& settings);

}  // namespace poise::compare
