#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "poise/base/ensemble.hpp"
#include "poise/io/run_file.hpp"
#include "poise/run/interruptions.hpp"
#include "poise_sweep/settings.hpp"

namespace poise::sweep {

struct Column {
  std::string name;
  std::string meaning;  ///< stored in the file, for readers
};

/// The members of a sweep as rows: parameters, results (NaN if the member failed), group and seconds.
class Table {
 public:
  /// `members[k]` are the parameters of member k.
  Table(std::vector<Column> parameters, const std::vector<Column>& results,
        const std::vector<std::vector<double>>& members, const std::vector<MemberResult>& done);

  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }
  [[nodiscard]] std::size_t parameters() const { return parameters_; }
  [[nodiscard]] std::size_t rows() const { return values_.size(); }
  /// Throws failure if there is no such column.
  [[nodiscard]] std::size_t index(const std::string& name) const;
  [[nodiscard]] double at(std::size_t row, const std::string& name) const {
    return values_[row][index(name)];
  }
  void set(std::size_t row, const std::string& name, double value) { values_[row][index(name)] = value; }
  [[nodiscard]] std::vector<double> column(const std::string& name) const;
  /// Why a member failed; empty if it did not.
  [[nodiscard]] const std::string& error(std::size_t row) const { return errors_[row]; }
  [[nodiscard]] std::size_t failures() const;
  /// label_of its parameters
  [[nodiscard]] std::string label(std::size_t row) const;
  /// Groups of rows whose parameters are equal except `ignored`, in the order of their first rows.
  [[nodiscard]] std::vector<std::vector<std::size_t>> groups(const std::string& ignored) const;
  /// The number of rows with a value in a column that is neither 0 nor NaN.
  [[nodiscard]] std::size_t count(const std::string& name) const;

 private:
  std::vector<Column> columns_;
  std::size_t parameters_;
  std::vector<std::vector<double>> values_;
  std::vector<std::string> errors_;
};

/// "m = 8, gamma = 0.5, seed = 1": the parameters of a member.
[[nodiscard]] std::string label_of(const std::vector<Column>& parameters, const std::vector<double>& values);

/// "3 of 5 members"
[[nodiscard]] std::string of_members(std::size_t some, std::size_t all);

/// The result of a sweep in one sentence.
struct Verdict {
  std::string text;
  bool held = true;  ///< all that must hold held
};

/// One of the studies: its members, the computation of a member, and the meaning of the numbers.
struct Study {
  std::vector<Column> parameters;            ///< by which members differ
  std::vector<std::vector<double>> members;  ///< their values
  std::vector<Column> results;               ///< the measurements of a member
  std::vector<double> costs;                 ///< relative cost of every member
  /// Collective on its communicator. Takes the parameters of a member, returns its results. Throws
  /// MemberStopped on request.
  std::function<std::vector<double>(MPI_Comm, const std::vector<double>&, Interruptions&)> run;
  /// Collective. Makes the solvers of a member, so that every solver has asked for its options. Returns the
  /// fingerprint of the samples.
  std::function<std::string(MPI_Comm, const std::vector<double>&)> rehearse;
  std::vector<std::string> shown;                       ///< result columns of the table on the terminal
  std::function<void(Table&)> compare = [](Table&) {};  ///< fills columns that need several members
  std::function<Verdict(const Table&)> verdict;
};

[[nodiscard]] Study width_study(const SweepSettings& settings);
[[nodiscard]] Study step_size_study(const SweepSettings& settings);
[[nodiscard]] Study inexact_study(const SweepSettings& settings);
[[nodiscard]] Study depth_study(const SweepSettings& settings);
[[nodiscard]] Study make_study(const SweepSettings& settings);

/// All combinations of one value of every list, the last list running fastest.
[[nodiscard]] std::vector<std::vector<double>> combinations(const std::vector<std::vector<double>>& lists);
/// 0, 1, …, count − 1.
[[nodiscard]] std::vector<double> counting(std::uint64_t count);

/// The table for the terminal: one line per group of members that differ in the seed alone, with median
/// [smallest, largest] of each shown column; then the failed members with their messages.
[[nodiscard]] std::string table_text(const Study& study, const Table& table);

/// "reached 1, excess_ratio 9.2e-07, tightness 1.1": the first of the results that the table on the terminal
/// shows.
[[nodiscard]] std::string result_text(const Study& study, const std::vector<double>& results);

/// Not collective: call it on one rank. Writes DIR/sweep.h5, schema "poise-sweep-1", atomically: per column a
/// 1-D data set /members/<column> with one entry per member and the attribute "meaning", over the dimension
/// scale /member; /errors with an attribute "member-K" per failed member K; /config with the resolved
/// options; the given root attributes. Throws failure if the file cannot be written.
void write_sweep(const std::string& path, const Table& table, const RunFile::Named& attributes,
                 const RunFile::Config& config);

}  // namespace poise::sweep
