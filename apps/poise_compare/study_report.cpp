#include "poise_compare/study_report.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "poise/base/brief.hpp"
#include "poise/run/report.hpp"
#include "poise_compare/study_file.hpp"

namespace poise::compare {
namespace {

std::string number(double value) {
  return std::isfinite(value) ? brief(value, 3) : "-";
}

std::string spread_text(const std::vector<double>& values) {
  const Spread s = spread_of(values);
  if (values.empty()) return "-";
  if (s.low == s.high) return number(s.median);
  return number(s.median) + " [" + number(s.low) + ", " + number(s.high) + "]";
}

using Rows = std::vector<std::vector<std::string>>;

/// Columns as wide as their widest entry; the first row is the header.
std::string table(const Rows& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c)
      line += row[c] + std::string(widths[c] - row[c].size() + 2, ' ');
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text + "\n";
}

/// A column: its title and the numbers of a model.
struct Column {
  std::string title;
  std::function<std::vector<double>(std::size_t model)> values;
};

/// Columns in which no model has a number are left out.
std::string model_table(const Study& study, const std::vector<Column>& columns) {
  Rows rows{{"model"}};
  for (const ModelSpec& model : study.models) rows.push_back({model.name()});
  for (const Column& column : columns) {
    std::vector<std::string> cells;
    for (std::size_t model = 0; model < study.models.size(); ++model)
      cells.push_back(spread_text(column.values(model)));
    if (std::all_of(cells.begin(), cells.end(), [](const std::string& cell) { return cell == "-"; }))
      continue;
    rows.front().push_back(column.title);
    for (std::size_t model = 0; model < cells.size(); ++model) rows[model + 1].push_back(cells[model]);
  }
  return table(rows);
}

std::string header(const Study& study, const CompareReference& reference, const CompareSettings& settings) {
  const TrainSettings& problem = settings.problem;
  std::string text = problem.data + ": " + plural(study.samples, "training sample") + ", " +
                     plural(study.test_samples, "test sample") + ", " + plural(study.features, "feature") +
                     " (" + problem.features.map->name() + "), " + plural(study.outputs, "output") +
                     ", loss " + problem.loss->name() + "\n";
  if (reference.rank > 0)
    text += "the features have rank " + std::to_string(reference.rank) + " on the training samples" +
            (reference.rank < study.features ? ": " + std::to_string(study.features - reference.rank) +
                                                   " directions are unseen, so many W have the least loss"
                                             : ": one W has the least loss") +
            ", " + number(reference.optimal_loss) + "\n";
  return text + "gamma " + number(study.gamma) + ", gradient flow to t = " + number(study.times.back()) +
         ", seeds " + std::to_string(study.first_seed) + " to " +
         std::to_string(study.first_seed + study.seeds - 1) +
         "; below: median [least, largest] over them\n\n";
}

/// Depth against depth: distance of the truncations from the implicit W of the same seed, in the induced
/// 1-norm.
std::string depth_table(const Study& study) {
  Rows rows{{"depth H", "gamma^H", "distance at t = 0", "at the end"}};
  for (std::size_t model = 0; model < study.models.size(); ++model) {
    if (study.models[model].kind != ModelSpec::Kind::unrolled) continue;
    const auto depth = static_cast<double>(study.models[model].depth);
    rows.push_back({std::to_string(study.models[model].depth), number(std::pow(study.gamma, depth)),
                    spread_text(study.path_values("distance_implicit_1", model, 0)),
                    spread_text(study.path_values("distance_implicit_1", model, study.times.size() - 1))});
  }
  return "|W_H - W|_1/|W|_1 of the truncations (at t = 0 it is at most gamma^H):\n" + table(rows);
}

}  // namespace

std::string study_report(const Study& study, const CompareReference& reference,
                         const CompareSettings& settings) {
  const std::size_t end = study.times.size() - 1;
  const auto path = [&](const char* title, const char* name) {
    return Column{title,
                  [&study, name, end](std::size_t model) { return study.path_values(name, model, end); }};
  };
  const auto work = [&](const char* title, const char* name, double unit = 1.0) {
    return Column{title, [&study, name, unit](std::size_t model) {
                    std::vector<double> values = study.work_values(name, model);
                    for (double& value : values) value *= unit;
                    return values;
                  }};
  };
  std::string text = header(study, reference, settings);
  text +=
      model_table(study, {path("train loss", "train_loss"), path("test loss", "test_loss"),
                          path("train accuracy", "train_accuracy"), path("test accuracy", "test_accuracy")});
  text += model_table(study,
                      {path("|W|_F", "frobenius_norm"), path("nuclear norm", "nuclear_norm"),
                       path("effective rank", "effective_rank"), path("from implicit", "distance_implicit"),
                       path("from least norm", "distance_min_norm"), path("from nearest", "distance_nearest"),
                       path("teacher cosine", "teacher_alignment")});
  text += model_table(
      study, {work("parameters", "parameters"), work("steps", "steps"), work("gradients", "gradients"),
              work("seconds", "seconds"), work("working memory, kB", "working_bytes", 1e-3)});
  text += depth_table(study);
  const std::string failures = failures_of(study);
  return failures.empty() ? text : text + "FAILED\n" + failures + "\n";
}

}  // namespace poise::compare
