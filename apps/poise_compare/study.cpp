#include "poise_compare/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/error.hpp"
#include "poise/dynamics/flow.hpp"
#include "poise/objective/shallow_loss.hpp"
#include "poise/theory/least_squares_reference.hpp"
#include "poise_compare/member.hpp"
#include "poise_compare/weight.hpp"

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

constexpr double none = std::numeric_limits<double>::quiet_NaN();

using Arrays = std::vector<std::pair<std::string, std::vector<double>>>;

std::vector<double>& array_of(Arrays& arrays, const std::string& name, std::size_t size) {
  for (auto& [known, values] : arrays)
    if (known == name) return values;
  return arrays.emplace_back(name, std::vector<double>(size, none)).second;
}

const std::vector<double>& array_of(const Arrays& arrays, const std::string& name) {
  for (const auto& [known, values] : arrays)
    if (known == name) return values;
  throw failure("the study has no array '" + name + "'");
}

/// Named numbers of one W.
std::vector<std::pair<std::string, double>> measure_weight(const std::vector<double>& w, Index outputs,
                                                           const std::vector<double>* implicit,
                                                           const CompareReference& reference, Index seed) {
  const Index m = static_cast<Index>(w.size()) / outputs;
  const Spectrum spectrum = spectrum_of(singular_values(outputs, m, w));
  const auto distance = [&](const std::vector<double>* to) {
    return to != nullptr && !to->empty() ? relative_distance(w, *to) : none;
  };
  const bool squared = !reference.min_norm.empty();
  return {
      {"nuclear_norm", spectrum.nuclear},
      {"effective_rank", spectrum.effective_rank},
      {"stable_rank", spectrum.stable_rank},
      {"frobenius_norm", spectrum.frobenius},
      {"distance_implicit", distance(implicit)},
      {"distance_implicit_1", implicit != nullptr ? relative_distance_1(outputs, w, *implicit) : none},
      {"distance_min_norm", distance(&reference.min_norm)},
      {"distance_nearest", distance(squared ? &reference.nearest[static_cast<std::size_t>(seed)] : nullptr)},
      {"teacher_alignment", reference.teacher.empty() ? none : alignment(w, reference.teacher)}};
}

void measure_work(Study& study, std::size_t place) {
  const MemberRecord& record = study.members[place];
  const std::size_t size = study.members.size();
  for (const auto& [name, value] :
       {std::pair("parameters", record.parameters), std::pair("gradients", record.gradients),
        std::pair("steps", record.steps), std::pair("seconds", record.seconds),
        std::pair("working_bytes", record.working_bytes)})
    array_of(study.work, name, size)[place] = study.errors[place].empty() ? value : none;
}

std::vector<double> finite(std::vector<double> values) {
  std::erase_if(values, [](double x) { return !std::isfinite(x); });
  return values;
}

}  // namespace

CompareReference make_reference(const ProcessGrid& grid, const TrainingData& data,
                                const CompareSettings& settings) {
  CompareReference reference;
  const MemberInput input{grid, data.problem(), data.features().width(), settings.seed(0)};
  // Solvers read their options when they are made: a misspelt one is found before the members start.
  MemberNetwork network(input, settings, {.kind = ModelSpec::Kind::implicit});
  const VecHandle theta = network.layout().create();
  const Flow flow(network.objective(), theta.get(), settings.time, settings.steps);
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

void measure_paths(Study& study, const CompareReference& reference) {
  const std::size_t times = study.times.size(), size = study.members.size() * times;
  const std::vector<double> zero(static_cast<std::size_t>(study.outputs * study.features), 0.0);
  // All names are there, also where nothing can be measured.
  for (const char* name : {"train_loss", "test_loss", "train_accuracy", "test_accuracy"})
    array_of(study.paths, name, size);
  for (const auto& [name, value] : measure_weight(zero, study.outputs, nullptr, {}, 0))
    array_of(study.paths, name, size);
  for (std::size_t model = 0; model < study.models.size(); ++model)
    for (Index seed = 0; seed < study.seeds; ++seed) {
      const std::size_t place = study.member(model, seed);
      measure_work(study, place);
      if (!study.errors[place].empty()) continue;
      const MemberRecord& record = study.members[place];
      const auto& implicit = study.members[study.member(0, seed)].weights;
      for (std::size_t k = 0; k < times; ++k) {
        const auto put = [&](const std::string& name, double value) {
          array_of(study.paths, name, size)[place * times + k] = value;
        };
        put("train_loss", record.train_loss[k]);
        put("test_loss", record.test_loss[k]);
        put("train_accuracy", record.train_accuracy[k]);
        put("test_accuracy", record.test_accuracy[k]);
        if (record.weights.empty()) continue;
        for (const auto& [name, value] :
             measure_weight(record.weights[k], study.outputs, implicit.empty() ? nullptr : &implicit[k],
                            reference, seed))
          put(name, value);
      }
    }
}

std::string Study::label(std::size_t place) const {
  const auto count = static_cast<std::size_t>(seeds);
  return fmt::format("{}, seed {}", models[place / count].name(),
                     first_seed + static_cast<Index>(place % count));
}

std::vector<double> Study::path_values(const std::string& name, std::size_t model, std::size_t time) const {
  const std::vector<double>& all = array_of(paths, name);
  std::vector<double> values;
  for (Index s = 0; s < seeds; ++s) values.push_back(all[member(model, s) * times.size() + time]);
  return finite(values);
}

std::vector<double> Study::work_values(const std::string& name, std::size_t model) const {
  const std::vector<double>& all = array_of(work, name);
  std::vector<double> values;
  for (Index s = 0; s < seeds; ++s) values.push_back(all[member(model, s)]);
  return finite(values);
}

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {none, none, none};
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return {0.5 * (values[(n - 1) / 2] + values[n / 2]), values.front(), values.back()};
}

}  // namespace poise::compare
