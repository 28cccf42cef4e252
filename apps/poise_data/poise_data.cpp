#include "poise_data/poise_data.hpp"

#include <fmt/format.h>

#include <array>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise_data/graph.hpp"
#include "poise_data/samples.hpp"

namespace poise::data {
namespace {

constexpr const char* usage =
    "poise-data: imports and generates data sets, and shows their content\n\n"
    "  poise-data import -csv F[.gz] -label_column K | -target_columns A,B | -target_csv F  [-test_csv F] "
    "-out F.h5\n"
    "  poise-data import -images F -labels F [-test_images F -test_labels F] -out F.h5\n"
    "  poise-data import -npy_features F -npy_targets F | -npy_labels F -out F.h5\n"
    "  poise-data import -csv F | -npy_features F | -npz F -unlabelled true -out F.h5\n"
    "  poise-data import -npz F -out F.h5\n"
    "  poise-data import -h5 F.h5 -drop_missing true -out G.h5\n"
    "  poise-data synthetic -samples N -inputs D -outputs Q -noise S [-classes true] -out F.h5\n"
    "  poise-data import -npz_graph F -out F.h5\n"
    "  poise-data import -edges F [-csv F -label_column K | -npy_features F -npy_labels F] -out F.h5\n"
    "  poise-data graph chain|grid|sbm|rmat -out F.h5\n"
    "  poise-data graph knn -data F.h5 -neighbours K -labelled L -out G.h5\n"
    "  poise-data show F.h5";

std::string help_text(const std::string& category) {
  Options options;
  (void)import_dataset(options, true);
  (void)synthetic_dataset(MPI_COMM_SELF, options, true);
  (void)make_graph(MPI_COMM_SELF, "", options, true);
  return options.help(usage, category);
}

Error usage_error(const std::string& message) {
  return {ExitCode::bad_input, message + "; poise-data -help shows the commands", true};
}

/// Runs an importer of samples; a line about the file.
template <DatasetInfo (*import)(Options&, bool)>
std::string summarised(Options& options, bool declare_only) {
  const DatasetInfo info = import(options, declare_only);
  return declare_only ? "" : summary_of(info);
}

std::string show(MPI_Comm comm, const std::vector<std::string>& words) {
  Options().reject_unknown();
  if (words.size() < 2) throw usage_error("show: name a data file");
  std::string text;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (is_graph(comm, words[i]))
      text += show_graph(comm, words[i]);
    else
      on_root(comm, [&] { text += show_dataset(words[i]); });
  }
  return text;
}

}  // namespace

std::string import_dataset(Options& options, bool declare_only) {
  using Run = std::string (*)(Options&, bool);
  struct Importer {
    std::string chosen_by;
    Run run;
  };
  const std::array<Importer, 7> importers{{{"csv", summarised<import_csv>},
                                           {"images", summarised<import_idx>},
                                           {"npy_features", summarised<import_npy>},
                                           {"npz", summarised<import_npz>},
                                           {"h5", summarised<import_h5>},
                                           {"edges", import_edges},
                                           {"npz_graph", import_graph}}};
  const bool edges = given_value("edges").has_value();
  const Importer* chosen = nullptr;
  for (const Importer& importer : importers) {
    if (declare_only) {
      (void)importer.run(options, true);
      continue;
    }
    const bool has_nodes = importer.chosen_by == "csv" || importer.chosen_by == "npy_features";
    if (edges && has_nodes) continue;                // the nodes that belong to the edges
    if (!given_value(importer.chosen_by)) continue;  // declared by the importer, if it runs
    if (chosen != nullptr)
      throw bad_input(fmt::format("options -{} and -{} exclude each other: import one kind of file at a time",
                                  chosen->chosen_by, importer.chosen_by));
    chosen = &importer;
  }
  if (declare_only) return {};
  if (chosen == nullptr)
    throw bad_input(
        "nothing to import: give -csv FILE, -images FILE, -npy_features FILE, -npz FILE, -h5 FILE, "
        "-npz_graph FILE or -edges FILE (-help lists all)");
  return chosen->run(options, false);
}

std::string run_poise_data(MPI_Comm comm, const std::vector<std::string>& words, bool help_requested,
                           const std::string& help_category) {
  if (help_requested) return help_text(help_category);
  if (words.empty()) throw usage_error("name a command: import, synthetic, graph or show");
  const std::string& command = words.front();
  if (command == "show") return show(comm, words);
  Options options;
  if (command == "graph" && words.size() <= 2)
    return make_graph(comm, words.size() == 2 ? words[1] : "", options) + "\n";
  if (words.size() > 1)
    throw usage_error(
        fmt::format("'{}' is not an option: options begin with a dash", words[command == "graph" ? 2 : 1]));
  if (command == "synthetic") return summary_of(synthetic_dataset(comm, options)) + "\n";
  if (command == "import") {
    std::string text;
    on_root(comm, [&] { text = import_dataset(options) + "\n"; });
    return text;
  }
  const std::string near = nearest_name(command, {"import", "synthetic", "graph", "show"});
  throw usage_error(fmt::format("'{}' is not a command{}", command,
                                near.empty() ? "" : fmt::format(", did you mean '{}'?", near)));
}

}  // namespace poise::data
