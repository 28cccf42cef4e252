#include "poise/predict/predict_main.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <optional>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/version.hpp"
#include "poise/graph/graph_dataset.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/temporary_file.hpp"
#include "poise/petsc/session.hpp"
#include "poise/predict/foreign_samples.hpp"
#include "poise/predict/new_samples.hpp"
#include "poise/predict/prediction_file.hpp"
#include "poise/predict/predictor.hpp"
#include "poise/predict/quality.hpp"
#include "poise/run/solvers.hpp"
#include "poise/run/stored_run.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace predict {
namespace {

constexpr const char* predict_usage =
    "poise-predict: applies a trained network to new samples\n"
    "  poise-predict -run runs/digits -data new.h5 -out predictions.h5\n"
    "  poise-predict -run runs/mine -csv new.csv -out predictions.csv\n"
    "  poise-predict -run runs/digits -npy_features new.npy -out predictions.h5\n"
    "  mpirun -n 2 poise-predict -run runs/digits -step 100 -data data/digits.h5 -set test -out "
    "predictions.csv\n"
    "All other options of the run are taken from the checkpoint; solver options given now override the "
    "run's.";

constexpr Index most_named = 10;  // rows in a message

struct PredictOptions {
  std::string data, out;
  ForeignSamples foreign;
  NewSampleReader::Set set = NewSampleReader::Set::train;
  NewSampleReader::BadRows bad_rows = NewSampleReader::BadRows::refuse;

  static PredictOptions from(Options& options) {
    const Options::Category category(options, "predict");
    PredictOptions own;
    own.data =
        options.text("data", "", "the data file with the new samples; it needs no /labels or /targets");
    own.out = options.text("out", "", "the file to write: HDF5, or a table if the name ends with .csv");
    const std::string set = options.choice("set", "train", {"train", "validation", "test"},
                                           "which samples of the data file: train means /features, "
                                           "validation /validation_features, test /test_features");
    own.set = set == "train"  ? NewSampleReader::Set::train
              : set == "test" ? NewSampleReader::Set::test
                              : NewSampleReader::Set::validation;
    if (options.flag(
            "skip_bad_rows", false,
            "leave out samples with missing or infinite inputs; if false, such a sample is an error"))
      own.bad_rows = NewSampleReader::BadRows::skip;
    own.foreign = ForeignSamples::from(options);
    return own;
  }
  /// Throws bad_input unless one file of samples and one of predictions are named.
  void require_complete() const {
    if (source().empty())
      throw usage(
          "give -data FILE, -csv FILE or -npy_features FILE, the new samples (-help lists all options)");
    if (foreign.are_given() && !data.empty())
      throw usage("-data and " + source() + " are two files of samples; give only one of them");
    if (foreign.are_given() && set != NewSampleReader::Set::train)
      throw usage("-set belongs to -data: a table has one set of samples; leave it out");
    if (out.empty()) throw usage("give -out FILE, the file of predictions: FILE.h5 or FILE.csv");
  }
  /// The file that the user has named.
  [[nodiscard]] const std::string& source() const { return foreign.are_given() ? foreign.path() : data; }
};

/// Throws bad_input if the options do not fit a run on a graph, whose nodes are all predicted together.
void require_graph(const PredictOptions& own, const std::string& checkpoint) {
  const auto refuse = [&](const std::string& option, const std::string& why) {
    return usage(fmt::format("{}: the run of {} was made with -model graph: {}", option, checkpoint, why));
  };
  if (own.foreign.are_given())
    throw refuse(own.foreign.path(), "a table of samples has no edges; give -data FILE, a graph file");
  if (own.set != NewSampleReader::Set::train)
    throw refuse("-set", "all nodes of a graph are predicted together; leave the option out");
  if (own.bad_rows != NewSampleReader::BadRows::refuse)
    throw refuse("-skip_bad_rows",
                 "the states of a node's neighbours depend on its inputs; fill in the missing inputs");
}

/// Rows of the data file that have no prediction, with a reason: their number, and the first of them.
struct MissedRows {
  Index count = 0;
  std::vector<Index> first = std::vector<Index>(most_named, std::numeric_limits<Index>::max());

  void add(Index row) {
    if (count++ < most_named) first[static_cast<std::size_t>(count - 1)] = row;
  }
  /// Collective on `comm`.
  void sum(MPI_Comm comm) {
    int size = 1;
    check_mpi(MPI_Comm_size(comm, &size));
    std::vector<Index> all(first.size() * static_cast<std::size_t>(size));
    check_mpi(MPI_Allgather(first.data(), static_cast<int>(first.size()), MPI_INT64_T, all.data(),
                            static_cast<int>(first.size()), MPI_INT64_T, comm));
    std::sort(all.begin(), all.end());
    std::copy_n(all.begin(), first.size(), first.begin());
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &count, 1, MPI_INT64_T, MPI_SUM, comm));
  }
  [[nodiscard]] std::string text() const {
    std::string text;
    for (Index k = 0; k < std::min(count, most_named); ++k)
      text += fmt::format("{}{}", k > 0 ? ", " : "", first[k]);
    return text + (count > most_named ? ", ..." : "");
  }
};

/// Samples of a rank per round: what is kept of them takes at most about 100 MB.
Index samples_per_round(const Checkpoint& checkpoint, Index samples, const ProcessGrid& grid) {
  constexpr Index most_numbers = 4'000'000;
  const Index numbers = checkpoint.integer("/features", "inputs") + checkpoint.integer("/features", "width") +
                        3 * Predictor::outputs_of(checkpoint);  // twice the outputs, and the probabilities
  const Index share = (samples + grid.sample_ranks() - 1) / grid.sample_ranks();
  return std::clamp<Index>(most_numbers / std::max<Index>(1, numbers), 1, std::max<Index>(1, share));
}

/// Not collective. What the file of predictions says of some rows.
PredictedBlock predicted_block(const Predictor& predictor, Range rows, const Prediction& prediction) {
  PredictedBlock block;
  block.rows = rows;
  block.outputs = prediction.outputs;
  block.residuals = prediction.residuals;
  if (predictor.classes() > 0) block.predicted = predictor.predicted_classes(rows.size(), block.outputs);
  if (predictor.has_probabilities())
    block.probabilities = predictor.probabilities(rows.size(), block.outputs);
  return block;
}

/// One pass over the data file, round by round: in each round the ranks of grid.sample() take samples that
/// follow each other.
class Pass {
 public:
  Pass(const ProcessGrid& grid, const NewSampleReader& reader, Predictor& predictor, PredictionFile& file)
      : grid_(grid), reader_(reader), predictor_(predictor), file_(file), quality_(predictor) {}

  void run(Index per_round) {
    const Index all = reader_.samples(), round = per_round * grid_.sample_ranks();
    for (Index begin = 0; begin < all; begin += round) {
      const Range mine = grid_.samples(std::min(round, all - begin));
      predict({begin + mine.begin, begin + mine.end});
    }
    quality_.sum(grid_.sample());
    skipped_.sum(grid_.sample());
    failed_.sum(grid_.sample());
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &worst_, 1, MPI_DOUBLE, MPI_MAX, grid_.sample()));
  }

  [[nodiscard]] const Quality& quality() const { return quality_; }
  [[nodiscard]] const MissedRows& skipped() const { return skipped_; }
  [[nodiscard]] const MissedRows& failed() const { return failed_; }
  /// The largest relative residual of the equilibria that have converged.
  [[nodiscard]] double worst_residual() const { return worst_; }

 private:
  void predict(Range rows) {
    const NewSamples samples = reader_.read(rows);
    predictor_.predict(samples.count, samples.inputs.data(), prediction_);
    if (reader_.has_answers()) quality_.add(samples, prediction_);
    PredictedBlock block = predicted_block(predictor_, rows, prediction_);
    for (Index i = 0; i < samples.count; ++i) judge(i, samples, block);
    file_.write(block);
  }

  /// Takes out what is no prediction.
  void judge(Index i, const NewSamples& samples, PredictedBlock& block) {
    constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
    if (samples.usable[i] != 0 && prediction_.solved[i] != 0) {
      worst_ = std::max(worst_, block.residuals[i]);
      return;
    }
    (samples.usable[i] == 0 ? skipped_ : failed_).add(samples.begin + i);
    if (samples.usable[i] == 0) block.residuals[i] = nothing;
    std::fill_n(block.outputs.begin() + i * predictor_.outputs(), predictor_.outputs(), nothing);
    if (!block.predicted.empty()) block.predicted[i] = -1;
    if (!block.probabilities.empty())
      std::fill_n(block.probabilities.begin() + i * predictor_.classes(), predictor_.classes(), nothing);
  }

  const ProcessGrid& grid_;
  const NewSampleReader& reader_;
  Predictor& predictor_;
  PredictionFile& file_;
  Quality quality_;
  MissedRows skipped_, failed_;
  double worst_ = 0.0;
  Prediction prediction_;
};

void print_header(const Checkpoint& checkpoint, const Predictor& predictor, const NewSampleReader& reader) {
  std::printf("poise-predict %s: %s, %s\n", version().c_str(), checkpoint.path().c_str(),
              predictor.network().description().c_str());
  const char* what = predictor.network().is_graph() ? "node" : "sample";
  std::printf("%s: %s, %s\n", reader.name().c_str(), plural(reader.samples(), what).c_str(),
              reader.matching().c_str());
}

void print_solver(const Predictor& predictor, double worst_residual) {
  if (predictor.solver().empty()) return;
  std::printf("equilibria by SNES %s: largest residual %.3e\n", predictor.solver().c_str(), worst_residual);
}

void print_result(const Pass& pass, const Predictor& predictor, const NewSampleReader& reader,
                  const PredictOptions& own) {
  print_solver(predictor, pass.worst_residual());
  if (pass.skipped().count > 0)
    std::printf("left out, because an input is missing or not finite: %s (row %s)\n",
                plural(pass.skipped().count, "sample").c_str(), pass.skipped().text().c_str());
  if (reader.has_answers()) std::fputs(pass.quality().text().c_str(), stdout);
  std::printf("predictions: %s\n", own.out.c_str());
}

/// Collective on `comm`.
void copy_samples(MPI_Comm comm, const PredictOptions& own, const Checkpoint& checkpoint,
                  const TrainSettings& settings, const std::string& path) {
  const NetworkSides network = Predictor::sides_of(settings, checkpoint);
  on_root(comm, [&] { own.foreign.copy_to(path, network, own.bad_rows); });
}

/// Collective on the world. How well the nodes of each set of the run's split are predicted; without such
/// sets, all nodes with an answer.
std::string graph_quality(const ProcessGrid& grid, const GraphDataset& graph, Index split,
                          const Predictor& predictor, NewSamples nodes, const Prediction& prediction) {
  std::string text;
  const auto add = [&](const std::string& name, const std::vector<char>& counted) {
    nodes.answered = counted;
    Quality quality(predictor);
    quality.add(nodes, prediction);
    quality.sum(grid.sample());
    if (quality.count() > 0) text += name + " nodes: " + quality.text();
  };
  const std::vector<char> answered = nodes.answered;
  if (!graph.info().has_mask[0] || split >= graph.info().splits) {
    add("labelled", answered);
    return text;
  }
  const NodeMasks masks = graph.read_masks(split, {nodes.begin, nodes.begin + nodes.count});
  for (std::size_t set = 0; set < masks.size(); ++set) {
    std::vector<char> counted = answered;
    for (std::size_t i = 0; i < counted.size(); ++i)
      if (masks[set][i] == 0) counted[i] = 0;
    add(node_set_names[set], counted);
  }
  return text;
}

/// Predicts all nodes of a graph file.
ExitCode predict_graph(Options& options, const PredictOptions& own, const Checkpoint& checkpoint,
                       const TrainSettings& settings, const ProcessGrid& grid) {
  require_graph(own, checkpoint.path());
  const NewSampleReader reader(grid.world(), own.data, NewSampleReader::Set::nodes,
                               Predictor::sides_of(settings, checkpoint), own.bad_rows);
  const GraphDataset graph(grid.sample(), own.data);
  const GraphRows rows = graph.read_own_rows();
  NewSamples nodes = reader.read(rows.own);
  Predictor predictor(grid, settings, checkpoint, rows, nodes.inputs);
  options.reject_unknown();
  if (grid.rank() == 0) print_header(checkpoint, predictor, reader);
  Prediction prediction;
  predictor.predict_nodes(prediction);
  const auto file = PredictionFile::create(
      grid, own.out, reader.samples(), predictor,
      {.checkpoint = checkpoint.path(), .data = own.data, .step = checkpoint.integer("/state", "step")});
  file->write(predicted_block(predictor, rows.own, prediction));
  double worst = 0.0;
  for (const double residual : prediction.residuals) worst = std::max(worst, residual);
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_DOUBLE, MPI_MAX, grid.world()));
  const std::string quality = reader.has_answers() ? graph_quality(grid, graph, settings.split, predictor,
                                                                   std::move(nodes), prediction)
                                                   : std::string();
  file->commit();
  if (grid.rank() != 0) return ExitCode::done;
  print_solver(predictor, worst);
  std::printf("%spredictions: %s\n", quality.c_str(), own.out.c_str());
  return ExitCode::done;
}

/// Predicts the samples of a data file, round by round.
ExitCode predict_samples(Options& options, const PredictOptions& own, const Checkpoint& checkpoint,
                         const TrainSettings& settings, const ProcessGrid& grid) {
  std::optional<TemporaryFile> copy;  // of samples that are no data file
  if (own.foreign.are_given()) {
    copy.emplace(grid.world(), own.out + ".samples");
    copy_samples(grid.world(), own, checkpoint, settings, copy->name());
  }
  const std::string data = copy ? copy->name() : own.data;
  const DatasetInfo info = Dataset(grid.world(), data, Missing::keep, Answers::optional).info();
  const Index most = std::max({info.samples, info.validation_samples, info.test_samples});
  const Index per_round = samples_per_round(checkpoint, most, grid);
  Predictor predictor(grid, settings, checkpoint, per_round);
  const NewSampleReader reader(grid.world(), data, own.set, Predictor::sides_of(settings, checkpoint),
                               own.bad_rows, own.source());
  options.reject_unknown();
  if (grid.rank() == 0) print_header(checkpoint, predictor, reader);
  const auto file = PredictionFile::create(
      grid, own.out, reader.samples(), predictor,
      {.checkpoint = checkpoint.path(), .data = own.source(), .step = checkpoint.integer("/state", "step")});
  Pass pass(grid, reader, predictor, *file);
  pass.run(per_round);
  file->commit();
  if (grid.rank() == 0) print_result(pass, predictor, reader, own);
  if (pass.failed().count == 0) return ExitCode::done;
  throw Error(
      ExitCode::failed,
      fmt::format("the equilibria of {} did not converge (row {}): they have no prediction in {}; give more "
                  "iterations (-eq_snes_max_it) or another solver (-eq_snes_type)",
                  plural(pass.failed().count, "sample"), pass.failed().text(), own.out),
      true);
}

ExitCode run_predict(Options& options, MPI_Comm comm) {
  const PredictOptions own = PredictOptions::from(options);
  own.require_complete();
  on_root(comm, [&] {
    require_output_path("out", own.out);
    std::error_code code;
    if (std::filesystem::equivalent(own.out, own.source(), code))
      throw bad_input("-out " + own.out +
                      " is the data file itself: give the predictions a file of their own");
  });
  const Checkpoint checkpoint = open_stored_run(comm, options);
  const TrainSettings settings = recall_settings(options, checkpoint);
  declare_equilibrium_solvers(options, "as in poise-train");
  const ProcessGrid grid(comm, settings.feature_ranks);
  if (settings.network.is_graph()) return predict_graph(options, own, checkpoint, settings, grid);
  return predict_samples(options, own, checkpoint, settings, grid);
}

}  // namespace
}  // namespace predict

int predict_main(int argc, char** argv) {
  return run_options_program(
      argc, argv, predict_usage,
      [](Options& options) {
        (void)StoredRunName::from(options);
        (void)PredictOptions::from(options);
        declare_feature_ranks(options);
        declare_equilibrium_solvers(options, "as in poise-train");
      },
      run_predict);
}

}  // namespace poise
