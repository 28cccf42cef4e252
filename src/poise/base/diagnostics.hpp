#pragma once

#include <string>
#include <vector>

namespace poise {

/// An option by which a solver of PETSc or SLEPc tells what it does.
struct Diagnostic {
  enum class Asked {
    always,   ///< by every object of its class, when it is set from options or while it solves
    by_type,  ///< by some types of it alone, when they are set from options
  };
  enum class Value {
    viewer,  ///< where to print: "", "ascii:FILE", "draw"
    flag,    ///< a truth value or a number by which it prints
    other,   ///< prints nothing by itself
    unfit,   ///< wants what no solver of Poise has: fails or crashes in the midst of a solve
  };
  const char* name;  ///< without the dash and the prefix
  Value value = Value::viewer;
  Asked asked = Asked::always;
  int since = 0;      ///< PETSc's minor version that brought it
  int until = 10000;  ///< and the one that dropped it
};

/// Those of a class of objects that this version of PETSc has; the classes are SNES, KSP, TS, TAO, EPS and
/// the parts SNESJacobian, SNESLineSearch, TAOHessian, TAOLineSearch and GEPS (the second matrix of an EPS).
[[nodiscard]] const std::vector<Diagnostic>& diagnostics(const std::string& object);

/// All options of a solver of this kind (SNES, KSP, TS, TAO, EPS) that tell what it and the objects inside
/// of it do, behind its prefix.
[[nodiscard]] std::vector<std::string> diagnostic_names(const std::string& kind);

}  // namespace poise
