#include "poise/petsc/solver_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "poise/base/check.hpp"
#include "poise/base/diagnostics.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/base/output.hpp"
#include "poise/petsc/options_database.hpp"

namespace poise {
inline namespace petsc {
namespace {

using Asked = Diagnostic::Asked;
using Value = Diagnostic::Value;

/// A solver, or an object inside it, with the class of its diagnostics in diagnostics.hpp; empty for an
/// object that only has to be silenced.
struct Part {
  PetscObject object;
  std::string diagnostics = {};
};
using Parts = std::vector<Part>;

template <class Object>
PetscObject base(Object object) {
  return reinterpret_cast<PetscObject>(object);
}

std::string prefix_of(PetscObject object) {
  const char* prefix = nullptr;
  check(PetscObjectGetOptionsPrefix(object, &prefix));
  return prefix != nullptr ? prefix : "";
}

bool has_type(PetscObject object, std::initializer_list<const char*> types) {
  return std::any_of(types.begin(), types.end(), [&](const char* type) {
    PetscBool same = PETSC_FALSE;
    check(PetscObjectTypeCompare(object, type, &same));
    return same == PETSC_TRUE;
  });
}

bool is_given(const std::string& prefix, const std::string& name) {
  PetscBool given = PETSC_FALSE;
  check(PetscOptionsHasName(nullptr, prefix.c_str(), ("-" + name).c_str(), &given));
  return given == PETSC_TRUE;
}

/// Asks for the diagnostics that are given, because PETSc counts an option as used once it was asked for.
void ask(const std::string& prefix, const std::string& object) {
  for (const Diagnostic& one : diagnostics(object)) {
    if (one.asked != Asked::always || !is_given(prefix, one.name)) continue;
    if (one.value == Value::unfit)
      throw Error(
          ExitCode::bad_input,
          fmt::format("option -{}{} needs something that this solver does not have: a mesh (DM), residuals, "
                      "or the entries or a norm of its matrix; leave the option out",
                      prefix, one.name),
          true);
  }
}

/// Refuses diagnostics of objects that PETSc makes and sets from options, but then does not use.
void refuse(const std::string& prefix, std::initializer_list<const char*> objects, const std::string& why) {
  for (const char* object : objects)
    for (const Diagnostic& one : diagnostics(object))
      if (is_given(prefix, one.name))
        throw Error(ExitCode::bad_input,
                    fmt::format("option -{}{} would print nothing: {}; leave it out", prefix, one.name, why),
                    true);
}

void add(Parts& parts, KSP ksp);

void add(Parts& parts, PC pc) {
  parts.push_back({base(pc)});
  if (has_type(base(pc), {PCKSP})) {
    KSP inner = nullptr;
    check(PCKSPGetKSP(pc, &inner));
    add(parts, inner);
  }
  if (!has_type(base(pc), {PCCOMPOSITE})) return;
  PetscInt members = 0;
  check(PCCompositeGetNumberPC(pc, &members));
  for (PetscInt i = 0; i < members; ++i) {
    PC member = nullptr;
    check(PCCompositeGetPC(pc, i, &member));
    add(parts, member);
  }
}

void add(Parts& parts, KSP ksp) {
  PC pc = nullptr;
  check(KSPGetPC(ksp, &pc));
  parts.push_back({base(ksp), "KSP"});
  add(parts, pc);
}

bool uses_ksp(SNES snes) {
  if (has_type(base(snes), {SNESQN})) {
    char scale[16] = "";
    PetscBool given = PETSC_FALSE;
    check(PetscOptionsGetString(nullptr, prefix_of(base(snes)).c_str(), "-snes_qn_scale_type", scale,
                                sizeof scale, &given));
    return std::string_view(scale) == "jacobian";
  }
  return has_type(base(snes), {SNESNEWTONLS, SNESNEWTONTR, SNESNEWTONTRDC, "newtonal", SNESKSPONLY,
                               SNESKSPTRANSPOSEONLY, SNESVINEWTONRSLS, SNESVINEWTONSSLS, SNESASPIN});
}

void add(Parts& parts, SNES snes) {
  parts.push_back({base(snes), "SNES"});
  if (uses_ksp(snes)) {
    KSP ksp = nullptr;
    check(SNESGetKSP(snes, &ksp));
    parts.push_back({base(snes), "SNESJacobian"});
    add(parts, ksp);
  }
  for (SNES inner : inner_solvers(snes)) add(parts, inner);
}

void add(Parts& parts, TS ts) {
  parts.push_back({base(ts), "TS"});
  if (has_type(base(ts), {TSEULER, TSRK, TSSSP, TSMPRK, TSBASICSYMPLECTIC})) {
    refuse(prefix_of(base(ts)), {"SNES", "SNESJacobian", "SNESLineSearch", "KSP"},
           "the integrator is explicit (-" + prefix_of(base(ts)) + "ts_type), so it solves no equations");
    return;
  }
  SNES snes = nullptr;
  check(TSGetSNES(ts, &snes));
  add(parts, snes);
}

void add(Parts& parts, EPS eps) {
  ST transform = nullptr;
  RG region = nullptr;
  KSP ksp = nullptr;
  PetscBool generalized = PETSC_FALSE;
  check(EPSGetST(eps, &transform));
  check(EPSGetRG(eps, &region));
  check(STGetKSP(transform, &ksp));
  check(EPSIsGeneralized(eps, &generalized));
  parts.push_back({base(eps), "EPS"});
  parts.push_back({base(transform)});
  parts.push_back({base(region)});
  if (generalized) parts.push_back({base(eps), "GEPS"});
  if (generalized || has_type(base(transform), {STSINVERT, STCAYLEY, STPRECOND}))
    add(parts, ksp);
  else
    refuse(prefix_of(base(ksp)), {"KSP"}, "this eigensolver solves no equations");
}

void add(Parts& parts, Tao tao) {
  TaoLineSearch search = nullptr;
  KSP ksp = nullptr;
  check(TaoGetLineSearch(tao, &search));
  check(TaoGetKSP(tao, &ksp));
  parts.push_back({base(tao), "TAO"});
  if (search != nullptr && !has_type(base(tao), {TAOBNTR, TAONTR, TAOBQNKTR}))
    parts.push_back({base(search), "TAOLineSearch"});
  if (ksp == nullptr) return;
  parts.push_back({base(tao), "TAOHessian"});
  add(parts, ksp);
}

/// What happens to an option in the database of a silent solver. A diagnostic that every object of its class
/// asks for is left out, and so counts as used; any other diagnostic gets a value that prints nothing.
enum class Silenced {
  stays,    ///< no diagnostic: its value does not change
  goes,     ///< is left out
  nowhere,  ///< prints to /dev/null
  off       ///< is false
};

Silenced silenced(const std::string& name) {
  for (const char* object : {"SNES", "SNESJacobian", "SNESLineSearch", "KSP", "TS", "TAO", "TAOHessian",
                             "TAOLineSearch", "EPS", "GEPS"})
    for (const Diagnostic& one : diagnostics(object)) {
      if (!name.ends_with(one.name) || one.value == Value::other) continue;
      const std::size_t before = name.size() - std::string_view(one.name).size();
      if (before > 0 && name[before - 1] != '_') continue;
      if (one.asked == Asked::always) return Silenced::goes;
      return one.value == Value::viewer ? Silenced::nowhere : Silenced::off;
    }
  return Silenced::stays;
}

NamedOptions silent_options() {
  NamedOptions options;
  for (auto& [name, value] : all_options()) {
    const Silenced how = silenced(name);
    if (how == Silenced::goes) continue;
    options.emplace_back(name, how == Silenced::nowhere ? "ascii:/dev/null"
                               : how == Silenced::off   ? "false"
                                                        : value);
  }
  return options;
}

/// Gives a database to an object; it is destroyed with the object.
void hand_over(PetscOptions database, PetscObject object) {
  PetscContainer container = nullptr;
  MPI_Comm comm = MPI_COMM_NULL;
  check(PetscObjectGetComm(object, &comm));
  check(PetscContainerCreate(comm, &container));
  check(PetscContainerSetPointer(container, static_cast<void*>(database)));
#if PETSC_VERSION_GE(3, 23, 0)
  // auto: the type of the argument changed from void** to void*, which points to the same.
  check(PetscContainerSetCtxDestroy(container, [](auto held) -> PetscErrorCode {
    void** pointer = static_cast<void**>(static_cast<void*>(held));
    auto options = static_cast<PetscOptions>(*pointer);
    *pointer = nullptr;
    return PetscOptionsDestroy(&options);
  }));
#else
  check(PetscContainerSetUserDestroy(container, [](void* held) -> PetscErrorCode {
    auto options = static_cast<PetscOptions>(held);
    return PetscOptionsDestroy(&options);
  }));
#endif
  check(PetscObjectCompose(object, "poise_silent_options", reinterpret_cast<PetscObject>(container)));
  check(PetscContainerDestroy(&container));
}

/// Sets the solvers inside preconditioners from options. PETSc does so only when it sets them up, which is
/// after Options::reject_unknown.
void set_inner_solvers(const Parts& parts) {
  for (const Part& part : parts) {
    if (part.object == nullptr || !has_type(part.object, {PCKSP})) continue;
    KSP inner = nullptr;
    check(PCKSPGetKSP(reinterpret_cast<PC>(part.object), &inner));
    check(KSPSetFromOptions(inner));
  }
}

/// Makes `database` the default one for the life of this object.
class Pushed {
 public:
  explicit Pushed(PetscOptions database) { check(PetscOptionsPush(database)); }
  ~Pushed() { (void)PetscOptionsPop(); }
  Pushed(const Pushed&) = delete;
  Pushed& operator=(const Pushed&) = delete;
};

template <class Solver>
Parts parts_of(Solver solver) {
  Parts parts;
  add(parts, solver);
  return parts;
}

/// Sets a solver from a database that asks for no output. The solver, and all objects that it makes later,
/// keep this database. Options that were used in it count as used in the real one.
template <class Solver>
void set_silently(Solver solver, PetscErrorCode (*set)(Solver)) {
  PetscOptions database = nullptr;
  const NamedOptions given = silent_options();
  check(PetscOptionsCreate(&database));
  for (const auto& [name, value] : given)
    check(PetscOptionsSetValue(database, ("-" + name).c_str(), value.c_str()));
  hand_over(database, base(solver));
  NamedOptions unused;
  {
    const Pushed scope(database);
    check(set(solver));
    set_inner_solvers(parts_of(solver));
    unused = unused_options();
  }
  for (const auto& option : given)
    if (std::find(unused.begin(), unused.end(), option) == unused.end()) (void)is_given("", option.first);
  for (const Part& part : parts_of(solver)) check(PetscObjectSetOptions(part.object, database));
}

struct Reserved {
  std::vector<std::string> names;
  std::string purpose;
};
Reserved& reserved() {
  static Reserved types;
  return types;
}

void refuse_reserved(const Parts& parts) {
  const auto& names = reserved().names;
  for (const Part& part : parts)
    if (std::find(names.begin(), names.end(), type_of(part.object)) != names.end())
      throw Error(ExitCode::bad_input,
                  fmt::format("{} is for {} only; choose one of PETSc's types here", type_option(part.object),
                              reserved().purpose),
                  true);
}

template <class Solver>
void set_and_ask(Solver solver, PetscErrorCode (*set)(Solver), ReservedTypes types = ReservedTypes::refused) {
  if (is_silent(PetscObjectComm(base(solver)))) {
    set_silently(solver, set);
  } else {
    check(set(solver));
    set_inner_solvers(parts_of(solver));
  }
  if (types == ReservedTypes::refused) refuse_reserved(parts_of(solver));
  for (const Part& part : parts_of(solver))
    if (!part.diagnostics.empty()) ask(prefix_of(part.object), part.diagnostics);
}

}  // namespace

std::string type_of(PetscObject object) {
  const char* type = nullptr;
  check(PetscObjectGetType(object, &type));
  return type != nullptr ? type : "";
}

std::string type_option(PetscObject object) {
  const char* name = nullptr;
  check(PetscObjectGetClassName(object, &name));
  std::string option = name;
  for (char& letter : option) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return "-" + prefix_of(object) + option + "_type " + type_of(object);
}

void reserve_types(const std::vector<const char*>& names, const char* purpose) {
  reserved() = {{names.begin(), names.end()}, purpose};
}

KspResult result_of(KSP ksp) {
  KspResult result;
  const char* text = nullptr;
  check(KSPGetConvergedReason(ksp, &result.reason));
  check(KSPGetConvergedReasonString(ksp, &text));
  check(KSPGetIterationNumber(ksp, &result.iterations));
  result.text = text;
  return result;
}

std::vector<SNES> inner_solvers(SNES snes) {
  std::vector<SNES> inner;
  PetscBool has_npc = PETSC_FALSE;
  check(SNESHasNPC(snes, &has_npc));
  if (has_npc == PETSC_TRUE) check(SNESGetNPC(snes, &inner.emplace_back()));
  PetscInt members = 0;
  if (has_type(base(snes), {SNESCOMPOSITE})) check(SNESCompositeGetNumber(snes, &members));
  for (PetscInt i = 0; i < members; ++i) check(SNESCompositeGetSNES(snes, i, &inner.emplace_back()));
  return inner;
}

void set_from_options(KSP ksp, ReservedTypes types) {
  set_and_ask(ksp, KSPSetFromOptions, types);
}
void set_from_options(SNES snes, ReservedTypes types) {
  set_and_ask(snes, SNESSetFromOptions, types);
}
void set_from_options(TS ts) {
  set_and_ask(ts, TSSetFromOptions);
}
void set_from_options(EPS eps) {
  set_and_ask(eps, EPSSetFromOptions);
}
void set_from_options(Tao tao) {
  set_and_ask(tao, TaoSetFromOptions);
}

}  // namespace petsc
}  // namespace poise
