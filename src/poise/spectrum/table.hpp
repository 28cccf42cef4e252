#pragma once

#include <mpi.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "poise/theory/spectral_solvers.hpp"

namespace poise::spectrum {

/// What theory says about a quantity, "<= 0.8", with the item of THEORY.md.
struct Theory {
  std::string relation;  ///< "=", "<=", ">=", ">", or empty
  double bound = 0.0;
  std::string note;
};

/// One number of the report, or a bracket that holds it.
struct Quantity {
  std::string name;   ///< in the JSON
  std::string label;  ///< in the table
  double value = 0.0;
  std::optional<double> high = {};       ///< the bracket is [value, high]
  std::optional<double> imaginary = {};  ///< `value` is the real part
  std::optional<double> residual = {};
  std::optional<double> condition = {};  ///< of an eigenvalue: 1/|y'x|
  Theory theory = {};
  Index products = 0;
};

/// The report: sections of quantities. Rank 0 prints each quantity as soon as it is known; `write` stores all
/// of them as JSON. Only `write` is collective.
class Table {
 public:
  /// `speaks`: whether this rank prints.
  explicit Table(bool speaks) : speaks_(speaks) {}

  /// A fact about the run, for the top of the JSON.
  void fact(const std::string& name, const std::string& text);
  void fact(const std::string& name, double number);
  void section(const std::string& name, const std::string& title);
  void add(const Quantity& quantity);
  void add(const std::string& name, const std::string& label, const SpectralValue& value,
           const Theory& theory = {});
  /// A sentence in the current section, such as why something does not apply.
  void note(const std::string& text);

  /// Collective. Writes the JSON (schema poise-spectrum-1) by rank 0; throws failure if it cannot.
  void write(MPI_Comm comm, const std::string& path) const;

 private:
  [[nodiscard]] std::string json() const;

  bool speaks_;
  std::string section_;
  std::vector<std::pair<std::string, std::variant<std::string, double>>> facts_;
  // Each with the name of its section.
  std::vector<std::pair<std::string, Quantity>> quantities_;
  std::vector<std::pair<std::string, std::string>> notes_;
};

}  // namespace poise::spectrum
