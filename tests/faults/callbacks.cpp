// Throws in a callback of PETSc, SLEPc or the program: `callbacks PROBLEM CALLBACK RANK CALL [options]`
// solves a small real problem on 3 ranks; the callback throws in its CALL-th call on rank RANK (`all`: on all
// ranks).
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "poise/base/agree.hpp"
#include "poise/base/ensemble.hpp"
#include "poise/dynamics/descent.hpp"
#include "poise/dynamics/flow.hpp"
#include "poise/dynamics/minimise.hpp"
#include "poise/petsc/session.hpp"
#include "poise/petsc/shell_operator.hpp"
#include "poise/solve/adjoint_solver.hpp"
#include "poise/solve/equilibrium_solver.hpp"
#include "poise/theory/spectral_solvers.hpp"
#include "unit/solve/two_layer_map.hpp"

namespace poise {
namespace {

constexpr Index width = 12;
constexpr Index columns = 4;

/// The place of the exception.
struct Trap {
  std::string name;
  int rank = 0;
  long call = 1, calls = 0;

  void passed(const std::string& place) {
    if (place != name || ++calls != call) return;
    int here = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &here);
    if (rank == -1) throw Error(ExitCode::failed, "trap in " + name, true);
    if (rank == here) throw std::runtime_error("trap in " + name);
  }
} trap;

class TrappedMap final : public EquilibriumMap {
 public:
  explicit TrappedMap(const ProcessGrid& grid) : map_(grid, width, width + 2) {}
  [[nodiscard]] Index local_states() const override { return map_.local_states(); }
  [[nodiscard]] Index slope_rows() const override { return map_.slope_rows(); }
  [[nodiscard]] bool linear() const override { return false; }
  void set_parameters(Vec) override {}
  void apply(Index p, const double* z, const double* u, double* h) const override {
    trap.passed("map");
    map_.apply(p, z, u, h);
  }
  void linearise(Index p, const double* z, const double* h, double* slopes) const override {
    trap.passed("linearise");
    map_.linearise(p, z, h, slopes);
  }
  void jacobian(Index p, const double* slopes, const double* v, double* out) const override {
    trap.passed("jacobian");
    map_.jacobian(p, slopes, v, out);
  }
  void jacobian_transpose(Index p, const double* slopes, const double* v, double* out) const override {
    trap.passed("adjoint");
    map_.jacobian_transpose(p, slopes, v, out);
  }
  void clear_gradient() override {}
  void add_gradient(Index, const double*, const double*, const double*, const double*) override {}
  void write_gradient(Vec) override {}
  [[nodiscard]] Index columns_multiplied() const override { return map_.columns_multiplied(); }

 private:
  TwoLayerMap map_;
};

/// ½ Σ (i + 1) (θ_i − 1)².
class TrappedObjective final : public Objective {
 public:
  Evaluation value_and_gradient(Vec theta, Vec gradient) override {
    trap.passed("objective");
    Evaluation result;
    {
      const ReadArray x(theta);
      WriteArray g(gradient);
      PetscInt first = 0;
      check(VecGetOwnershipRange(theta, &first, nullptr));
      for (std::size_t i = 0; i < x.span().size(); ++i) {
        const auto a = static_cast<double>(first) + static_cast<double>(i) + 1.0;
        g[i] = a * (x[i] - 1.0);
        result.train.loss += 0.5 * a * (x[i] - 1.0) * (x[i] - 1.0);
      }
    }
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &result.train.loss, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD));
    return result;
  }
  Score score(Vec, const SampleSet&) override { return {}; }
};

void solve_equilibria() {
  const ProcessGrid grid(MPI_COMM_WORLD, 3);
  const TrappedMap map(grid);
  EquilibriumSolver solver(grid.feature(), map, columns);
  const auto rows = static_cast<std::size_t>(map.local_states() * columns);
  std::vector<double> u(rows, 0.3), z(u), slopes(static_cast<std::size_t>(map.slope_rows() * columns)),
      lambda(rows);
  (void)require(solver.solve(columns, u.data(), z.data(), slopes.data()));
  AdjointSolver adjoint(grid.feature(), map, columns, 1e-10);
  (void)require(adjoint.solve(columns, slopes.data(), u.data(), lambda.data()));
}

template <class Make>
void run_dynamics(Make make) {
  TrappedObjective objective;
  VecHandle theta;
  check(VecCreateMPI(MPI_COMM_WORLD, PETSC_DECIDE, width, theta.out()));
  DynamicsState state;
  const std::unique_ptr<Dynamics> dynamics = make(objective, theta.get());
  (void)dynamics->run(theta.get(), state, [](const DynamicsState&, Vec, Vec, const Evaluation&) {
    trap.passed("observer");
    return true;
  });
}

/// diag(1, 2, …) over the ranks; its products may throw.
LinearOperator diagonal() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const Index first = rank * width;
  const auto multiply = [first](const char* place) {
    return [first, place](const double* x, double* y) {
      trap.passed(place);
      for (Index i = 0; i < width; ++i) y[i] = static_cast<double>(first + i + 1) * x[i];
    };
  };
  return {MPI_COMM_WORLD, first, width, 1, 3 * width, multiply("product"), multiply("transpose")};
}

void precondition() {
  KspHandle ksp;
  const LinearOperator op = diagonal();
  const ShellOperator mat(MPI_COMM_WORLD, width, op.apply, op.apply_transpose);
  check(KSPCreate(MPI_COMM_WORLD, ksp.out()));
  check(KSPSetOperators(ksp.get(), mat.get(), mat.get()));
  PC pc = nullptr;
  check(KSPGetPC(ksp.get(), &pc));
  const LinearMap apply = [](const double* x, double* y) {
    trap.passed("preconditioner");
    std::copy_n(x, width, y);
  };
  set_shell_preconditioner(pc, apply);
  VecHandle x, y;
  check(MatCreateVecs(mat.get(), x.out(), y.out()));
  check(VecSet(x.get(), 1.0));
  check(KSPSolve(ksp.get(), x.get(), y.get()));
}

void run_ensemble() {
  constexpr double grace = 2.0;
  const auto member = [](MPI_Comm comm, Index) {
    trap.passed("member");
    int size = 0;
    check_mpi(MPI_Comm_size(comm, &size));
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &size, 1, MPI_INT, MPI_SUM, comm));
    return std::vector<double>{static_cast<double>(size)};
  };
  for (const MemberResult& result : run_members(MPI_COMM_WORLD, 3, {1.0, 1.0}, member, grace))
    if (!result.error.empty()) throw Error(ExitCode::failed, "a member failed: " + result.error, true);
}

template <class Body>
void run_bodies(Body body) {
  for (int i = 0; i < 3; ++i) body();
}

const std::map<std::string, void (*)()>& problems() {
  static const SpectralSolver solver{.prefix = "spec_test_", .quantity = "values of a test"};
  static const std::map<std::string, void (*)()> all{
      {"equilibria", solve_equilibria},
      {"flow", [] { run_dynamics([](auto& l, Vec v) { return std::make_unique<Flow>(l, v, 1.0, 50); }); }},
      {"minimise", [] { run_dynamics([](auto& l, Vec v) { return std::make_unique<Minimise>(l, v, 50); }); }},
      {"descent",
       [] {
         run_dynamics([](auto& l, Vec v) {
           return std::make_unique<Descent>(l, v, DescentSettings{.step_size = 0.01}, 1.0, 20);
         });
       }},
      {"largest", [] { (void)largest_eigenvalue(diagonal(), solver); }},
      {"leading", [] { (void)leading_eigenvalues(diagonal(), 3, solver); }},
      {"singular", [] { (void)largest_singular_value(diagonal(), solver); }},
      {"inverse", [] { (void)smallest_singular_value(diagonal(), solver); }},
      {"krylov", precondition},
      {"ensemble", run_ensemble},
      {"agreed", [] { run_bodies([] { agree(MPI_COMM_WORLD, [] { trap.passed("body"); }); }); }},
      {"root", [] { run_bodies([] { on_root(MPI_COMM_WORLD, [] { trap.passed("body"); }); }); }}};
  return all;
}

ExitCode run(Session& session) {
  const auto& words = session.words();
  if (words.size() != 4)
    throw Error(ExitCode::bad_input, "callbacks PROBLEM CALLBACK RANK CALL [options]", true);
  trap = {words[1], words[2] == "all" ? -1 : std::atoi(words[2].c_str()), std::atol(words[3].c_str())};
  problems().at(words[0])();
  std::printf("nothing was thrown\n");
  return ExitCode::done;
}

}  // namespace
}  // namespace poise

int main(int argc, char** argv) {
  return poise::run_program(argc, argv, poise::run);
}
