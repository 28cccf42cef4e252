#include "poise/predict/prediction_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "poise/base/agree.hpp"
#include "poise/base/options.hpp"
#include "poise/base/version.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/hdf5.hpp"
#include "poise/io/temporary_file.hpp"

namespace poise {
inline namespace predict {
namespace {

class Hdf5Predictions final : public PredictionFile {
 public:
  Hdf5Predictions(const ProcessGrid& grid, const std::string& path, Index samples, const Predictor& predictor,
                  const Origin& origin)
      : grid_(grid), temporary_(grid.world(), path), file_(open(samples, predictor)) {
    file_.set_attribute("/", "schema", std::string(prediction_schema));
    file_.set_attribute("/", "version", version());
    file_.set_attribute("/", "checkpoint", origin.checkpoint);
    file_.set_attribute("/", "data", origin.data);
    file_.set_attribute("/", "step", origin.step);
    create("/outputs", {samples, predictor.outputs()}, H5Kind::real, "sample output");
    create("/residuals", {samples}, H5Kind::real, "sample");
    write_names("/target_names", predictor.names().targets, "target");
    if (predictor.classes() == 0) return;
    create("/predicted", {samples}, H5Kind::integer, "sample");
    write_names("/class_names", predictor.names().classes, "class");
    if (predictor.has_probabilities())
      create("/probabilities", {samples, predictor.classes()}, H5Kind::real, "sample class");
  }

  void write(const PredictedBlock& block) override {
    const bool writes = grid_.feature_index() == 0;
    const Range rows = writes && block.rows.size() > 0 ? block.rows : Range{};
    const auto mine = [&](const auto& values) { return std::span(values).first(writes ? values.size() : 0); };
    file_.fill_rows("/outputs", rows, mine(block.outputs));
    file_.fill_rows("/residuals", rows, mine(block.residuals));
    if (file_.exists("/predicted")) file_.fill_rows("/predicted", rows, mine(block.predicted));
    if (file_.exists("/probabilities")) file_.fill_rows("/probabilities", rows, mine(block.probabilities));
  }

  void commit() override {
    file_.close();
    temporary_.commit();
  }

 private:
  [[nodiscard]] H5File open(Index samples, const Predictor& predictor) const {
    const Index numbers = predictor.outputs() + 2 + (predictor.has_probabilities() ? predictor.classes() : 0);
    on_root(grid_.world(), [&] {
      require_space(temporary_.name(), sizeof(double) * static_cast<std::uint64_t>(samples * numbers));
    });
    return grid_.size() == 1 ? H5File::create_alone(temporary_.name())
                             : H5File::create(grid_.world(), temporary_.name());
  }

  void create(const std::string& name, const std::vector<Index>& dims, H5Kind kind, const std::string& axes) {
    file_.create_rows(name, dims, kind);
    file_.set_attribute(name, axes_attribute, axes);
  }
  void write_names(const std::string& name, const std::vector<std::string>& names, const std::string& axis) {
    if (names.empty()) return;
    file_.write_texts(name, names);
    file_.set_attribute(name, axes_attribute, axis);
  }

  const ProcessGrid& grid_;
  TemporaryFile temporary_;
  H5File file_;
};

/// A name as a field of a table: in quotes if it has a comma, a quote or a line break.
std::string field(const std::string& name) {
  if (name.find_first_of(",\"\n\r") == std::string::npos) return name;
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string name_of(const std::vector<std::string>& names, Index k) {
  return names.empty() ? fmt::to_string(k) : names[static_cast<std::size_t>(k)];
}

/// The ranks send their lines to rank 0, which writes them.
class CsvPredictions final : public PredictionFile {
 public:
  CsvPredictions(const ProcessGrid& grid, const std::string& path, const Predictor& predictor)
      : grid_(grid), predictor_(predictor), temporary_(grid.world(), path) {
    on_root(grid.world(), [&] {
      file_.reset(std::fopen(temporary_.name().c_str(), "w"));
      if (!file_) throw bad_input("cannot create '" + temporary_.name() + "': " + std::strerror(errno));
      put(header());
    });
  }

  void write(const PredictedBlock& block) override {
    const std::string text = grid_.feature_index() == 0 ? lines(block) : std::string();
    for (int rank = 0; rank < grid_.sample_ranks(); ++rank) {
      const std::string part = rank == 0 ? text : broadcast(grid_.world(), text, rank);
      on_root(grid_.world(), [&] { put(part); });
    }
  }

  void commit() override {
    on_root(grid_.world(), [&] {
      if (std::fflush(file_.get()) != 0) throw cannot_write();
      file_.reset();
    });
    temporary_.commit();
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { (void)std::fclose(file); }
  };

  [[nodiscard]] Error cannot_write() const {
    return failure("cannot write '" + temporary_.name() + "': " + std::strerror(errno));
  }
  void put(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) throw cannot_write();
  }

  [[nodiscard]] std::string header() const {
    std::string text = "row";
    if (predictor_.classes() > 0) text += ",predicted";
    for (Index k = 0; k < predictor_.outputs(); ++k)
      text += "," + field("output " + name_of(predictor_.outputs() == predictor_.classes()
                                                  ? predictor_.names().classes
                                                  : predictor_.names().targets,
                                              k));
    if (predictor_.has_probabilities())
      for (Index c = 0; c < predictor_.classes(); ++c)
        text += "," + field("probability " + name_of(predictor_.names().classes, c));
    return text + ",residual\n";
  }

  [[nodiscard]] std::string lines(const PredictedBlock& block) const {
    const Index q = predictor_.outputs(), classes = predictor_.classes();
    std::string text;
    const auto add = [&](double x) { text += std::isnan(x) ? "," : "," + to_text(x); };
    for (Index i = 0; i < block.rows.size(); ++i) {
      text += fmt::to_string(block.rows.begin + i);
      if (classes > 0)
        text +=
            "," + (block.predicted[i] < 0 ? std::string()
                                          : field(name_of(predictor_.names().classes, block.predicted[i])));
      for (Index k = 0; k < q; ++k) add(block.outputs[i * q + k]);
      if (!block.probabilities.empty())
        for (Index c = 0; c < classes; ++c) add(block.probabilities[i * classes + c]);
      add(block.residuals[i]);
      text += "\n";
    }
    return text;
  }

  const ProcessGrid& grid_;
  const Predictor& predictor_;
  TemporaryFile temporary_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace

std::unique_ptr<PredictionFile> PredictionFile::create(const ProcessGrid& grid, const std::string& path,
                                                       Index samples, const Predictor& predictor,
                                                       const Origin& origin) {
  if (path.ends_with(".csv")) return std::make_unique<CsvPredictions>(grid, path, predictor);
  return std::make_unique<Hdf5Predictions>(grid, path, samples, predictor, origin);
}

}  // namespace predict
}  // namespace poise
