#pragma once

#include <string>
#include <vector>

namespace poise {
inline namespace base {

/// An option that makes a solver of PETSc or SLEPc print what it does.
struct Diagnostic {
  enum class Asked {
    always,   ///< every object of its class reads it, in SetFromOptions or while it solves
    by_type,  ///< only some types of its class read it, in SetFromOptions
  };
  enum class Value {
    viewer,  ///< where to print: "", "ascii:FILE", "draw"
    flag,    ///< a truth value or a number that turns printing on
    other,   ///< prints nothing by itself
    unfit,   ///< needs something that no solver of Poise has: fails or crashes during a solve
  };
  const char* name;  ///< without the dash and the prefix
  Value value = Value::viewer;
  Asked asked = Asked::always;
  int since = 0;      ///< first minor version of PETSc that has it
  int until = 10000;  ///< last minor version of PETSc that has it
};

/// The diagnostic options of a class of objects in this version of PETSc. Classes are SNES, KSP, TS, TAO, EPS
/// and the parts SNESJacobian, SNESLineSearch, TAOHessian, TAOLineSearch and GEPS (the second matrix of an
/// EPS).
[[nodiscard]] const std::vector<Diagnostic>& diagnostics(const std::string& object);

/// The names, without the solver's prefix, of all diagnostic options of a solver of this kind (SNES, KSP, TS,
/// TAO, EPS) and of the objects inside it.
[[nodiscard]] std::vector<std::string> diagnostic_names(const std::string& kind);

}  // namespace base
}  // namespace poise
