#include "poise_compare/reference.hpp"

#include <algorithm>

#include "poise/dynamics/flow.hpp"
#include "poise/objective/shallow_loss.hpp"
#include "poise/theory/least_squares_reference.hpp"
#include "poise_compare/linear_weight.hpp"
#include "poise_compare/member_network.hpp"
#include "poise_compare/spectrum.hpp"

namespace poise::compare {
namespace {

/// A block of Wᵀ (slice rows x q) as the whole W.
std::vector<double> gather_weight(const ParameterLayout& layout, const std::vector<double>& block) {
  const Index q = layout.outputs();
  std::vector<double> slice(block.size());
  transpose(layout.slice().size(), q, block.data(), slice.data());
  return gather_rows(layout, slice.data(), q);
}

/// This rank's block of Wᵀ of the whole W.
std::vector<double> block_of_weight(const ParameterLayout& layout, const std::vector<double>& w) {
  const Index q = layout.outputs(), rows = layout.slice().size();
  std::vector<double> block(static_cast<std::size_t>(rows * q));
  transpose(q, rows, w.data() + layout.slice().begin * q, block.data());
  return block;
}

/// A W (q x m, column-major) of the data as one of the scaled problem: Wφ becomes (Wφ − shift)/scale. There
/// is a shift only where the last feature is the constant.
void scale_weight(const TrainingData& data, std::vector<double>& w) {
  const TargetScale& targets = data.target_scale();
  if (!targets.is_set() || w.empty()) return;
  const std::size_t q = targets.shift.size();
  for (std::size_t c = 0; c < q; ++c) w[w.size() - q + c] -= targets.shift[c];
  for (double& entry : w) entry /= targets.scale;
}

void add_optima(const MemberInput& input, const CompareSettings& settings, CompareReference& reference) {
  const ParameterLayout layout(input.grid, input.features, input.problem.outputs, {},
                               settings.problem.matrix_type);
  const ShallowLoss loss(layout, input.problem);
  const LeastSquaresReference optimum(*loss.factor(), input.problem.outputs,
                                      input.problem.scale(input.problem.train.total));
  reference.rank = optimum.rank();
  reference.optimal_loss = input.problem.loss_unit * optimum.optimal_loss();
  reference.min_norm = gather_weight(layout, optimum.optimum());
  for (Index s = 0; s < settings.seeds; ++s) {
    const MemberInput start{input.grid, input.problem, input.features, settings.seed(s)};
    std::vector<double> unseen = block_of_weight(layout, initial_weight(start, settings));
    optimum.keep_unseen_part(unseen.data());
    std::vector<double> nearest = gather_weight(layout, unseen);
    std::transform(nearest.begin(), nearest.end(), reference.min_norm.begin(), nearest.begin(),
                   std::plus<>());
    reference.nearest.push_back(std::move(nearest));
  }
}

}  // namespace

CompareReference make_reference(const ProcessGrid& grid, const TrainingData& data,
                                const CompareSettings& settings) {
  CompareReference reference;
  const MemberInput input{grid, data.problem(), data.features().width(), settings.seed(0)};
  // Solvers read their options when they are made: a misspelt one is found before the members start.
  const auto network = make_network(input, settings, {.kind = ModelSpec::Kind::implicit});
  const VecHandle theta = network->layout().create();
  const Flow flow(network->objective(), theta.get(), settings.time, settings.steps);
  if (settings.problem.loss->least_squares()) add_optima(input, settings, reference);
  reference.teacher = teacher_in_features(data.features(), data.problem().outputs, data.teacher());
  scale_weight(data, reference.teacher);
  return reference;
}

std::vector<double> teacher_in_features(const Features& features, Index outputs,
                                        const std::vector<double>& teacher) {
  const Index d = features.inputs(), q = outputs;
  if (!features.map().linear() || static_cast<Index>(teacher.size()) != q * d) return {};
  std::vector<double> columns(teacher.size());  // q x d
  transpose(d, q, teacher.data(), columns.data());
  std::vector<double> w(static_cast<std::size_t>(q * features.width()), 0.0);
  const std::vector<double>& rows = features.block("transform");
  if (rows.empty()) {
    std::copy(columns.begin(), columns.end(), w.begin());
    return w;  // 0 for the constant
  }
  const Index k = features.count();
  std::vector<double> transform(static_cast<std::size_t>(k * d));  // k x d
  transpose(d, k, rows.data(), transform.data());
  const std::vector<double> kept = solve_from_right(q, k, d, transform, columns);
  std::copy(kept.begin(), kept.end(), w.begin());
  if (!features.constant()) return w;
  for (Index c = 0; c < q; ++c)  // teacher x = teacher (x − μ) + teacher μ
    for (Index j = 0; j < d; ++j)
      w[static_cast<std::size_t>(k * q + c)] +=
          columns[static_cast<std::size_t>(j * q + c)] * features.mean()[static_cast<std::size_t>(j)];
  return w;
}

}  // namespace poise::compare
