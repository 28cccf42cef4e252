#include "poise/theory/leading_product.hpp"

#include <algorithm>

#include "poise/base/check.hpp"
#include "poise/base/random.hpp"
#include "poise/linalg/eigenproblem.hpp"
#include "poise/petsc/solver_options.hpp"
#include "poise/petsc/vec.hpp"
#include "poise/base/petsc_versions.hpp"

namespace poise {
namespace {

/// Basis of a restart cycle; a vector of it has m numbers, so it may be larger than that of the full problem.
constexpr Index basis = 40;
constexpr PetscInt restarts = 50;

}  // namespace

LeadingProduct::LeadingProduct(const DynamicsMatrix& dynamics, std::uint64_t seed, double tolerance)
    : dynamics_(dynamics),
      seed_(seed),
      weights_(static_cast<std::size_t>(dynamics.local_rows())),
      block_(static_cast<std::size_t>(dynamics.local_size())),
      inverse_(dynamics.comm(), dynamics.local_rows(),
               [this](const double* x, double* y) {
                 ++products_;
                 dynamics_.apply_state_inverse(weights_.data(), x, y);
               }),
      state_(create_vec(dynamics.comm(), dynamics.local_rows())) {
  create_eigensolver(dynamics.comm(), "spec_state_", eps_.out());
  check(EPSSetOperators(eps_.get(), inverse_.get(), nullptr));
  check(EPSSetProblemType(eps_.get(), EPS_HEP));
  check(EPSSetWhichEigenpairs(eps_.get(), EPS_LARGEST_REAL));
  check(EPSSetType(eps_.get(), EPSKRYLOVSCHUR));
  check(EPSSetDimensions(eps_.get(), 1, static_cast<PetscInt>(std::min(dynamics.width(), basis)),
                         petsc_chosen));
  check(EPSSetTolerances(eps_.get(), tolerance, restarts));
  set_from_options(eps_.get());
}

void LeadingProduct::set_random_start() {
  const CounterRandom random(seed_, Stream::eigenvector);
  WriteArray out(state_.get());
  for (Index k = 0; k < dynamics_.local_rows(); ++k)
    out[k] = random.normal(static_cast<std::uint64_t>(dynamics_.row_begin() + k));
}

void LeadingProduct::update_state() {
  // The weights changed behind the shell: setting it again makes EPS forget what it found.
  check(EPSSetOperators(eps_.get(), inverse_.get(), nullptr));
  Vec start = state_.get();
  if (run_eigensolver(eps_.get(), start).pairs > 0) check(EPSGetEigenvector(eps_.get(), 0, start, nullptr));
}

void LeadingProduct::find(double* out) {
  products_ = 0;
  set_random_start();
  std::fill(block_.begin(), block_.end(), 0.0);
  dynamics_.state_weights(nullptr, weights_.data());
  update_state();
  const ReadArray state(state_.get());
  std::copy(state.span().begin(), state.span().end(), block_.begin());
  dynamics_.best_product(block_.data(), out);
}

}  // namespace poise
