#include "poise/run/ensemble_plan.hpp"

#include <fmt/format.h>

#include <map>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/text_file.hpp"
#include "poise/run/ensemble_table.hpp"
#include "poise/run/run_options.hpp"
#include "poise/run/settings.hpp"
#include "poise/run/train_rules.hpp"
#include "poise/run/training_data.hpp"
#include "poise/run/usage.hpp"

namespace poise {
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

/// The data files of a table, of which many members have the same.
class DataFiles {
 public:
  explicit DataFiles(MPI_Comm comm) : comm_(comm) {}
  /// Collective. Throws bad_input if the header cannot be read, or does not go together with the settings.
  void check(const TrainSettings& settings) {
    auto known = headers_.find(settings.data);
    if (known == headers_.end())
      known = headers_.emplace(settings.data, Dataset(comm_, find_data(comm_, settings.data, nullptr)).info())
                  .first;
    require_fitting(settings, known->second);
  }

 private:
  MPI_Comm comm_;
  std::map<std::string, DatasetInfo> headers_;
};

/// A resumed table's members look for their data themselves: those that are done need none, and the others
/// know where it was.
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
  s.file =
      o.text("ensemble", "",
             "a table of trainings, a line NAME: OPTIONS each, that run at the same time; NAME is the run "
             "directory below -run, its options win over those of the command line, which are for all");
  s.ranks =
      static_cast<int>(o.integer("ensemble_ranks", 1, {1, 1e6},
                                 "with -ensemble: ranks of a training, a divisor of the number of ranks"));
  if (s.file.empty() && o.settings().back().given)
    throw usage("-ensemble_ranks is for many trainings at once: give their table by -ensemble FILE");
  return s;
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
  plan.text = read_table(comm, settings.file);
  const NamedOptions common = take_unused_options();
  DataFiles data(comm);
  for (const EnsembleLine& line : parse_ensemble(plan.text, settings.file)) {
    try {
      EnsembleMember member{line.name, given_options(comm, common, line), {}};
      member.resolved = resolve(settings, member.options, data);
      plan.members.push_back(std::move(member));
    } catch (const Error& error) {
      if (!error.collective()) throw;
      throw error.with_message(line.where + " (" + line.name + "): " + error.what());
    }
  }
  return plan;
}

}  // namespace poise
