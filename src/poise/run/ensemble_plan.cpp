#include "poise/run/ensemble_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/text.hpp"
#include "poise/run/run_options.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/train_rules.hpp"
#include "poise/run/sample_source.hpp"
#include "poise/run/training_data.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
namespace {

/// Options of the ensemble as a whole.
const std::vector<std::string> not_of_a_member{"ensemble", "ensemble_ranks", "grid",
                                               "run",      "resume",         "deadline"};
/// Names of files in the directory of an ensemble, which no member may have.
const std::vector<std::string> taken_names{"ensemble.txt", "ensemble.h5", "options.txt",
                                           "DONE",         "runs.h5",     "figures"};

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_letter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

/// "-1" is a value.
bool is_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && std::isdigit(static_cast<unsigned char>(word[1])) == 0 &&
         word[1] != '.';
}

/// Whether a name has only letters, digits and characters that a shell needs no quotes for.
bool is_folder_name(const std::string& name) {
  return !name.empty() && is_letter(name[0]) && name.size() <= 200 &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return is_letter(c) || std::string("._-+=,@%").find(c) != std::string::npos;
         });
}

void require_name(const EnsembleLine& line, const std::vector<EnsembleLine>& before) {
  if (!is_folder_name(line.name))
    throw usage(
        line.where + ": '" + line.name +
        "' cannot name a run directory: give letters, digits and ._-+=,@% that begin with a letter or a "
        "digit, then a colon");
  if (contains(taken_names, line.name))
    throw usage(line.where + ": '" + line.name + "' names a file of the ensemble; choose another name");
  for (const EnsembleLine& other : before)
    if (other.name == line.name)
      throw usage(line.where + ": " + other.where + " already has the name '" + line.name + "'");
}

void add_option(EnsembleLine& line, const std::string& option) {
  const std::string name = option.substr(1);
  if (contains(not_of_a_member, name))
    throw usage(line.where + ": " + option + " is not for a single member; give it on the command line");
  if (std::any_of(line.options.begin(), line.options.end(), [&](const auto& o) { return o.first == name; }))
    throw usage(line.where + ": " + option + " is given twice");
  line.options.emplace_back(name, "");
}

EnsembleLine parse_line(const std::string& text, const std::string& where) {
  EnsembleLine line{"", {}, where};
  std::istringstream words(text);
  std::string word;
  words >> word;
  if (!word.ends_with(':'))
    throw usage(where + ": a line is NAME: OPTIONS, but '" + word + "' does not end with a colon");
  line.name = word.substr(0, word.size() - 1);
  bool wants_value = false;
  while (words >> word) {
    const bool option = is_option(word);
    if (option)
      add_option(line, word);
    else if (wants_value)
      line.options.back().second = word;
    else
      throw usage(where + ": '" + word + "' is neither an option nor a value of an option");
    wants_value = option;
  }
  return line;
}

}  // namespace

std::vector<EnsembleLine> parse_ensemble(const std::string& text, const std::string& path) {
  std::vector<EnsembleLine> lines;
  std::istringstream rest(text);
  int number = 0;
  for (std::string line; std::getline(rest, line);) {
    ++number;
    line.erase(std::min(line.find('#'), line.size()));
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    EnsembleLine parsed = parse_line(line, fmt::format("{}:{}", path, number));
    require_name(parsed, lines);
    lines.push_back(std::move(parsed));
  }
  if (lines.empty()) throw usage(path + " has no member: a line is NAME: OPTIONS");
  return lines;
}

namespace {

constexpr std::size_t longest_table = 100'000'000;

std::string read_table(MPI_Comm comm, const std::string& path) {
  std::string text;
  on_root(comm, [&] {
    try {
      text = read_file(path, longest_table);
    } catch (const Error& error) {
      throw bad_input("-ensemble: " + std::string(error.what()));
    }
  });
  return broadcast(comm, text);
}

NamedOptions given_options(MPI_Comm comm, const NamedOptions& common, const EnsembleLine& line) {
  NamedOptions options = common;
  for (const auto& [name, value] : line.options)
    if (name == "options_file")
      for (const auto& option : options_of_file(comm, value)) options.push_back(option);
  for (const auto& option : line.options)
    if (option.first != "options_file") options.push_back(option);
  return options;
}

/// The headers of the data files of a table. Many members share a file, so each is read once.
class DataFiles {
 public:
  explicit DataFiles(MPI_Comm comm) : comm_(comm) {}
  /// Collective. Throws bad_input if the header cannot be read, or does not go together with the settings.
  void check(const TrainSettings& settings) {
    auto known = headers_.find(settings.data);
    if (known == headers_.end())
      known = headers_
                  .emplace(settings.data,
                           read_data_header(comm_, settings, find_data(comm_, settings.data, nullptr)))
                  .first;
    require_fitting(settings, known->second);
  }

 private:
  MPI_Comm comm_;
  std::map<std::string, DatasetInfo> headers_;
};

/// The resolved options of a member. With -resume the data file is not checked here: finished members need
/// none, and the others find the path in their checkpoints.
NamedOptions resolve(const EnsembleSettings& settings, const NamedOptions& given, DataFiles& data) {
  const OwnOptions scope(given);
  Options options;
  const TrainSettings train = TrainSettings::from(options);
  require_effect(options, train_solver_rules());
  declare_train_solvers(options);
  options.reject_undeclared();
  if (train.data.empty()) throw usage("-data FILE is missing");
  if (settings.ranks % train.feature_ranks != 0)
    throw usage(
        fmt::format("-grid_feature_ranks {} does not divide the {} ranks of a member (-ensemble_ranks)",
                    train.feature_ranks, settings.ranks));
  if (!settings.resume) data.check(train);
  return options.resolved();
}

}  // namespace

EnsembleSettings EnsembleSettings::from(Options& o) {
  const Options::Category category(o, "ensemble");
  EnsembleSettings s;
  s.file = o.text(
      "ensemble", "",
      "a table of trainings that run at the same time, one line NAME: OPTIONS per training; NAME is the run "
      "directory below -run; options of the command line apply to all trainings, options of a line override "
      "them");
  s.grid = o.text("grid", "",
                  "an ensemble of all combinations of values of options, as in \"gamma=0.5,0.9 width=32,64 "
                  "seed=0:4\"; 0:4 stands for the integers 0, 1, 2, 3 (the end is left out); the run "
                  "directories below -run have names as in gamma-0.5_width-32_seed-0");
  s.ranks = static_cast<int>(
      o.integer("ensemble_ranks", 1, {1, 1e6},
                "with -ensemble or -grid: ranks per training, a divisor of the number of ranks"));
  if (!s.file.empty() && !s.grid.empty())
    throw usage("-ensemble and -grid both give a table of trainings; give only one of these options");
  return s;
}

void declare_train_program(Options& options) {
  (void)TrainSettings::from(options);
  (void)EnsembleSettings::from(options);
  declare_train_solvers(options);
}

std::vector<std::string> recall_options(MPI_Comm comm) {
  const std::optional<NamedOptions> stored = stored_options(comm, "poise-train");
  if (!stored) return {};
  Options declared;
  {
    const OwnOptions defaults({});
    declare_train_program(declared);
  }
  return poise::recall(*stored, declared);
}

void EnsembleSettings::recall(MPI_Comm comm) {
  if (given() || !resume || run.empty()) return;
  int found = 0;
  on_root(comm, [&] {
    std::error_code ignored;
    const bool table = std::filesystem::exists(run + "/ensemble.txt", ignored);
    found = table && std::filesystem::exists(run + "/options.txt", ignored) ? 1 : 0;
  });
  check_mpi(MPI_Bcast(&found, 1, MPI_INT, 0, comm));
  if (found == 0) return;
  (void)recall_options(comm);
  Options again;
  ranks = from(again).ranks;
  file = run + "/ensemble.txt";
}

void EnsembleSettings::read_run(Options& o) {
  run = run_option(o);
  resume = resume_option(o);
  deadline = deadline_option(o);
}

EnsemblePlan plan_ensemble(MPI_Comm comm, const EnsembleSettings& settings) {
  int ranks = 1;
  check_mpi(MPI_Comm_size(comm, &ranks));
  if (ranks % settings.ranks != 0)
    throw usage(
        fmt::format("-ensemble_ranks {} does not divide the {} ranks of this run", settings.ranks, ranks));
  EnsemblePlan plan;
  plan.text = settings.grid.empty() ? read_table(comm, settings.file) : table_of_grid(settings.grid);
  plan.common = take_unused_options();
  DataFiles data(comm);
  const std::string table = settings.grid.empty() ? settings.file : "-grid, line of its table";
  for (const EnsembleLine& line : parse_ensemble(plan.text, table)) {
    try {
      EnsembleMember member{line.name, given_options(comm, plan.common, line), {}};
      member.resolved = resolve(settings, member.options, data);
      plan.members.push_back(std::move(member));
    } catch (const Error& error) {
      if (!error.collective()) throw;
      throw error.with_message(line.where + " (" + line.name + "): " + error.what());
    }
  }
  return plan;
}

}  // namespace run
}  // namespace poise
