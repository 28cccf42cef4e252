#include "poise_compare/output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "poise/base/agree.hpp"
#include "poise/base/clock.hpp"
#include "poise/base/text.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/hdf5.hpp"
#include "poise/run/provenance.hpp"
#include "poise/run/report.hpp"
#include "poise/run/study_run.hpp"

namespace poise::compare {
namespace {

/// `scales`: the data sets that say what the indices count, one per dimension.
void write_array(H5File& file, const std::string& name, const std::vector<Index>& dims,
                 const std::vector<std::string>& scales, const std::vector<double>& values) {
  file.write_rows(name, dims, {0, dims.front()}, std::span<const double>(values));
  file.set_dimensions(name, scales);
}

/// A dimension scale of the numbers 0, 1, ….
void write_counting(H5File& file, const std::string& name, Index count) {
  std::vector<double> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0.0);
  write_array(file, name, {count}, {name}, numbers);
}

/// W as [q, m] row-major at every time, seed after seed; NaN for seeds that failed.
void write_weights(H5File& file, const Study& s) {
  const auto times = static_cast<Index>(s.times.size());
  file.create_group("/weights");
  write_counting(file, "/outputs", s.outputs);
  write_counting(file, "/features", s.features);
  for (std::size_t model = 0; model < s.models.size(); ++model) {
    if (!s.models[model].linear()) continue;
    std::vector<double> values;
    for (Index seed = 0; seed < s.seeds; ++seed) {
      const auto& weights = s.members[s.member(model, seed)].weights;
      if (weights.empty())
        values.resize(values.size() + static_cast<std::size_t>(times * s.outputs * s.features),
                      std::numeric_limits<double>::quiet_NaN());
      for (const auto& w : weights)
        for (Index i = 0; i < s.outputs; ++i)
          for (Index j = 0; j < s.features; ++j)
            values.push_back(w[static_cast<std::size_t>(j * s.outputs + i)]);
    }
    write_array(file, fmt::format("/weights/{}", model), {s.seeds, times, s.outputs, s.features},
                {"/seeds", "/times", "/outputs", "/features"}, values);
  }
}

void write_study(H5File& file, const Study& s) {
  std::string joined;
  std::vector<std::string> names;
  std::vector<double> depths, seeds;
  for (const ModelSpec& model : s.models) {
    names.push_back(model.name());
    joined += (joined.empty() ? "" : ";") + names.back();
    depths.push_back(static_cast<double>(model.depth));
  }
  for (Index seed = 0; seed < s.seeds; ++seed) seeds.push_back(static_cast<double>(s.first_seed + seed));
  file.set_attribute("/", "models", joined);
  file.set_attribute("/", "gamma", s.gamma);
  file.set_attribute("/", "samples", s.samples);
  file.set_attribute("/", "test_samples", s.test_samples);
  file.set_attribute("/", "m", s.features);
  file.set_attribute("/", "q", s.outputs);
  file.set_attribute("/", "failed", failures_of(s));
  const auto models = static_cast<Index>(s.models.size()), times = static_cast<Index>(s.times.size());
  write_array(file, "/times", {times}, {"/times"}, s.times);
  write_array(file, "/seeds", {s.seeds}, {"/seeds"}, seeds);
  file.write_texts("/models", names);
  write_array(file, "/model_depth", {models}, {"/models"}, depths);
  for (const auto& [name, values] : s.paths)
    write_array(file, "/paths/" + name, {models, s.seeds, times}, {"/models", "/seeds", "/times"}, values);
  for (const auto& [name, values] : s.work)
    write_array(file, "/costs/" + name, {models, s.seeds}, {"/models", "/seeds"}, values);
}

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
  std::string text = fmt::format(
      "{}: {}, {}, {} ({}), {}, loss {}\n", problem.data, plural(study.samples, "training sample"),
      plural(study.test_samples, "test sample"), plural(study.features, "feature"),
      problem.features.map->name(), plural(study.outputs, "output"), problem.loss->name());
  if (reference.rank > 0)
    text += fmt::format("the features have rank {} on the training samples: {}, {}\n", reference.rank,
                        reference.rank < study.features
                            ? fmt::format("{} are unseen, so many W have the least loss",
                                          plural(study.features - reference.rank, "direction"))
                            : "one W has the least loss",
                        number(reference.optimal_loss));
  return text +
         fmt::format(
             "gamma {}, gradient flow to t = {}, seeds {} to {}; below: median [least, largest] over the "
             "seeds\n\n",
             number(study.gamma), number(study.times.back()), study.first_seed,
             study.first_seed + study.seeds - 1);
}

/// Depth against depth: distance of the truncations from the implicit W of the same seed, in the induced
/// 1-norm.
std::string depth_table(const Study& study) {
  Rows rows{{"depth H", "gamma^H", "distance at t = 0", "at the end"}};
  for (std::size_t model = 0; model < study.models.size(); ++model) {
    if (study.models[model].kind != ModelSpec::Kind::unrolled) continue;
    const auto depth = static_cast<double>(study.models[model].depth);
    rows.push_back({fmt::format("{}", study.models[model].depth), number(std::pow(study.gamma, depth)),
                    spread_text(study.path_values("distance_implicit_1", model, 0)),
                    spread_text(study.path_values("distance_implicit_1", model, study.times.size() - 1))});
  }
  return "|W_H - W|_1/|W|_1 of the truncations (at t = 0 it is at most gamma^H):\n" + table(rows);
}

}  // namespace

std::string failures_of(const Study& study) {
  std::string text;
  for (std::size_t place = 0; place < study.errors.size(); ++place)
    if (const std::string& error = study.errors[place]; !error.empty())
      text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", study.label(place), error);
  return text;
}

void write_compare(MPI_Comm comm, const std::string& path, const Study& study, const RunFile::Config& config,
                   bool weights) {
  RunFile::Named made_by = provenance(comm);
  made_by.back() = {"finished", date("%Y-%m-%dT%H:%M:%SZ")};  // instead of "started"
  const auto failed = std::count_if(study.errors.begin(), study.errors.end(),
                                    [](const std::string& error) { return !error.empty(); });
  for (auto& attribute : study_outcome(static_cast<std::size_t>(failed), true))
    made_by.push_back(std::move(attribute));
  on_root(comm, [&] {
    H5File file = H5File::create_in_memory(path);
    file.set_attribute("/", "schema", std::string("poise-compare-1"));
    for (const auto& [name, value] : made_by) file.set_attribute("/", name, value);
    file.create_group("/config");
    for (const auto& [name, value] : config) file.set_attribute("/config", name, value);
    file.create_group("/paths");
    file.create_group("/costs");
    write_study(file, study);
    if (weights) write_weights(file, study);
    replace_file(path, file.image());
  });
}

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
