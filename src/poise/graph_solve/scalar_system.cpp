#include "poise/graph_solve/scalar_system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/petsc_versions.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"

namespace poise {
inline namespace graph_solve {
namespace {

constexpr double default_rtol = 1e-3;

#if defined(PETSC_HAVE_HYPRE)
constexpr const char* multigrid = PCHYPRE;
#else
constexpr const char* multigrid = PCGAMG;
#endif

void transpose(MatHandle& mat) {
  MatHandle result;
  check(MatTranspose(mat.get(), MAT_INITIAL_MATRIX, result.out()));
  mat = std::move(result);
}

// The coarse matrices of multigrid fill up where single nodes have very many neighbours: for 10^5 nodes and
// 10^6 edges of an R-MAT graph, setting hypre up takes more than minutes. Such graphs have a wide spectral
// gap, and CG with the diagonal converges in a few iterations.
constexpr Index degree_for_multigrid = 100;

}  // namespace

ScalarSystem::ScalarSystem(const ProcessGrid& grid, const GraphMatrix& matrix, const std::string& prefix,
                           bool transposed)
    : matrix_(matrix),
      transposed_(transposed),
      prefix_(prefix),
      scaled_(static_cast<std::size_t>(matrix.local_nodes())),
      right_(create_vec(grid.sample(), matrix.local_nodes())),
      solution_(duplicate(right_.get())) {
  check(KSPCreate(grid.sample(), ksp_.out()));
  check(KSPSetOptionsPrefix(ksp_.get(), prefix.c_str()));
  check(KSPSetType(ksp_.get(), matrix.symmetrisable() ? KSPCG : KSPGMRES));
  check(KSPSetTolerances(ksp_.get(), default_rtol, 1e-300, petsc_unchanged, 200));
  PC pc = nullptr;
  check(KSPGetPC(ksp_.get(), &pc));
  check(PCSetType(pc, matrix.largest_degree() <= degree_for_multigrid ? multigrid : PCJACOBI));
  set_from_options(ksp_.get());
  if (matrix.hops() == 1) return;
  powers_ = std::make_unique<ShellOperator>(grid.sample(), matrix.local_nodes(),
                                            [this](const double* c, double* out) { apply(c, out); });
}

/// Sᵀ is scaled to S_sym, so that L = C D^½ and R = D^½ C^-1; if it cannot be, L = D and R = I.
void ScalarSystem::set_scales(const double* slopes) {
  const auto n = static_cast<std::size_t>(matrix_.local_nodes());
  const std::vector<double>& scales = matrix_.symmetriser();
  const bool symmetric = matrix_.symmetrisable();
  roots_.clear();
  left_.assign(n, 1.0);
  right_scales_.assign(n, 1.0);
  for (std::size_t k = 0; k < n; ++k) {
    const double slope = slopes == nullptr ? 1.0 : slopes[k];
    const double own = scales.empty() ? 1.0 : scales[k];
    if (symmetric && slopes != nullptr) roots_.push_back(std::sqrt(slope));
    left_[k] = symmetric ? own * std::sqrt(slope) : slope;
    right_scales_[k] = symmetric ? std::sqrt(slope) / own : 1.0;
  }
}

void ScalarSystem::apply(const double* c, double* out) {
  const auto n = static_cast<std::size_t>(matrix_.local_nodes());
  const bool transposed = transposed_ && !matrix_.symmetrisable();
  const std::vector<double>& first = transposed ? left_ : right_scales_;
  const std::vector<double>& last = transposed ? right_scales_ : left_;
  inner_.resize(n);
  for (std::size_t k = 0; k < n; ++k) inner_[k] = first[k] * c[k];
  if (transposed)
    matrix_.multiply_scalars_transpose(inner_.data(), out);
  else
    matrix_.multiply_scalars(inner_.data(), out);
  for (std::size_t k = 0; k < n; ++k) out[k] = c[k] - factor_ * last[k] * out[k];
}

void ScalarSystem::update(double factor, const double* slopes) {
  const bool constant = slopes == nullptr;
  if (constant && constant_ && factor == factor_) return;  // a linear map: multigrid is set up once
  constant_ = constant;
  factor_ = factor;
  const bool symmetric = matrix_.symmetrisable();
  set_scales(slopes);
  check(MatDuplicate(matrix_.transpose(), MAT_COPY_VALUES, system_.out()));
  std::copy(left_.begin(), left_.end(), WriteArray(right_.get()).data());
  std::copy(right_scales_.begin(), right_scales_.end(), WriteArray(solution_.get()).data());
  check(MatDiagonalScale(system_.get(), right_.get(), solution_.get()));
  check(MatScale(system_.get(), -factor));
  check(MatShift(system_.get(), 1.0));
  if (symmetric)
    check(MatSetOption(system_.get(), MAT_SYMMETRIC, PETSC_TRUE));
  else if (transposed_)
    transpose(system_);
  check(KSPSetOperators(ksp_.get(), powers_ ? powers_->get() : system_.get(), system_.get()));
}

double ScalarSystem::scale(Index k) const {
  const std::vector<double>& scales = matrix_.symmetriser();
  if (scales.empty()) return 1.0;
  return transposed_ ? 1.0 / scales[k] : scales[k];
}

void ScalarSystem::multiply_symmetric(double* x, double* out) {
  const std::vector<double>& scales = matrix_.symmetriser();
  const Index n = matrix_.local_nodes();
  if (!scales.empty())
    for (Index k = 0; k < n; ++k) x[k] /= scales[k];
  matrix_.multiply_scalars(x, out);
  if (!scales.empty())
    for (Index k = 0; k < n; ++k) out[k] *= scales[k];
}

void ScalarSystem::run() {
  check(KSPSolve(ksp_.get(), right_.get(), solution_.get()));
  const KspResult result = result_of(ksp_.get());
  iterations_ += result.iterations;
  if (result.reason >= 0 || result.reason == KSP_DIVERGED_ITS) return;
  throw Error(ExitCode::failed,
              fmt::format("the scalar system of the graph ({}) failed: {}; try -{}pc_type jacobi", prefix_,
                          result.text, prefix_),
              true);  // all ranks have the same nodes' systems, and so the same reason
}

// Scaled to S_sym, or its power, with R = D^½ and M = I − t R S_sym R:
//   c − t D S_sym c = r has the solution c = r + R w with M w = t R S_sym r,
//   c − t S_sym D c = r has the solution c = r + t S_sym R w with M w = R r.
void ScalarSystem::solve(const double* r, double* c) {
  const Index n = matrix_.local_nodes();
  const bool direct = roots_.empty();
  for (Index k = 0; k < n; ++k) c[k] = scale(k) * r[k];
  work_.assign(c, c + n);
  if (!direct && !transposed_) {
    multiply_symmetric(work_.data(), scaled_.data());
    for (Index k = 0; k < n; ++k) work_[k] = factor_ * roots_[k] * scaled_[k];
  } else if (!direct) {
    for (Index k = 0; k < n; ++k) work_[k] *= roots_[k];
  }
  std::copy_n(work_.data(), n, WriteArray(right_.get()).data());
  run();
  std::copy_n(ReadArray(solution_.get()).data(), n, work_.data());
  if (direct) {
    std::copy_n(work_.data(), n, c);
  } else {
    for (Index k = 0; k < n; ++k) work_[k] *= roots_[k];
    if (transposed_) {
      multiply_symmetric(work_.data(), scaled_.data());
      for (Index k = 0; k < n; ++k) work_[k] = factor_ * scaled_[k];
    }
    for (Index k = 0; k < n; ++k) c[k] += work_[k];
  }
  for (Index k = 0; k < n; ++k) c[k] /= scale(k);
}

}  // namespace graph_solve
}  // namespace poise
