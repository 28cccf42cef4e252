#include "poise/theory/dynamics_matrix.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/linalg/dense_eigen.hpp"
#include "poise/theory/rank_reductions.hpp"

namespace poise {
inline namespace theory {
namespace {

/// Columns of S of one round, at least.
constexpr Index least_columns = 32;
/// Doubles in the buffer of partial sums per rank; wider problems need several rounds.
constexpr Index round_budget = Index{1} << 22;

Index valid_outputs(double gamma, Index outputs) {
  if (!(gamma >= 0.0 && gamma < 1.0) || outputs < 1)
    throw Error(
        ExitCode::bad_input,
        fmt::format("the matrix D needs 0 <= gamma < 1 and at least one output, not gamma = {} and {} "
                    "outputs",
                    gamma, outputs),
        true);
  return outputs;
}

}  // namespace

DynamicsMatrix::DynamicsMatrix(const RowBlockMatrix& softmax, double gamma, Index outputs,
                               Index round_columns)
    : softmax_(softmax),
      gamma_(gamma),
      outputs_(valid_outputs(gamma, outputs)),
      offsets_(row_slices(softmax)),
      factors_(softmax.local_rows(), outputs),
      round_columns_(round_columns),
      counts_(offsets_.size() - 1),
      work_(static_cast<std::size_t>(local_size())),
      product_(static_cast<std::size_t>(local_size())) {
  if (round_columns_ < 1)
    round_columns_ =
        std::max(least_columns, round_budget / (static_cast<Index>(counts_.size()) * factors_.pairs()));
}

double DynamicsMatrix::lambda_floor() const {
  return 1.0 / (static_cast<double>(width()) * (1.0 + gamma_) * (1.0 + gamma_));
}

void DynamicsMatrix::update(const double* w) {
  static const LogEvent event("DynamicsUpdate");
  const auto scope = event.begin();
  form_moments(w);
  const double gamma2 = gamma_ * gamma_;
  for (Index a = 0; a < outputs_; ++a) {
    for (Index b = 0; b <= a; ++b) {
      double* values = factors_.entry(a, b);
      for (Index k = 0; k < local_rows(); ++k) values[k] = gamma2 * values[k] + (a == b ? 1.0 : 0.0);
    }
  }
  const Index bad = factors_.factor();
  agree(comm(), [&] {
    if (bad >= 0)
      throw failure(fmt::format(
          "I + gamma² W J² Wᵀ is not positive definite for column {} of the weights: they hold NaN, Inf or "
          "numbers too large to square; reduce the step size",
          row_begin() + bad));
  });
}

// W J_k² Wᵀ = Σ_i S_ik² (w_i - b_k)(w_i - b_k)ᵀ with b_k = W s_k: a sum of squares about the centre b_k.
// Expanded (one large product with S∘S, minus corrections), the sum would lose all its digits if a column of
// S is almost one-hot or if the w_i have a large common part. Rows i are spread over the ranks, so that the
// partial sums of all columns are reduced to the owners of the columns, in rounds of bounded memory.
void DynamicsMatrix::form_moments(const double* w) {
  softmax_.multiply_transpose(outputs_, w, product_.data());
  const double* centres = softmax_.gather(outputs_, product_.data());
  Index widest = 0;
  for (std::size_t g = 0; g + 1 < offsets_.size(); ++g)
    widest = std::max(widest, offsets_[g + 1] - offsets_[g]);
  for (Index first = 0; first < widest; first += round_columns_)
    form_moments(w, centres, first, round_columns_);
}

/// Computes the moments of up to `step` columns of every owner, from the owner's column `first` on.
void DynamicsMatrix::form_moments(const double* w, const double* centres, Index first, Index step) {
  const std::size_t ranks = offsets_.size() - 1;
  const Index pairs = factors_.pairs();
  const auto columns = [&](std::size_t g) {
    return Range{std::min(offsets_[g] + first, offsets_[g + 1]),
                 std::min(offsets_[g] + first + step, offsets_[g + 1])};
  };
  Index total = 0;
  for (std::size_t g = 0; g < ranks; ++g) {
    counts_[g] = mpi_count(columns(g).size() * pairs);
    total += counts_[g];
  }
  partial_sums_.resize(std::max(partial_sums_.size(), static_cast<std::size_t>(total)));
  double* sums = partial_sums_.data();
  for (std::size_t g = 0; g < ranks; ++g) {
    const double* centre = centres + offsets_[g] * outputs_ + (columns(g).begin - offsets_[g]);
    weighted_moments(local_rows(), outputs_, columns(g).size(), w, softmax_.rows() + columns(g).begin,
                     width(), centre, offsets_[g + 1] - offsets_[g], sums);
    sums += counts_[g];
  }
  const Index own = std::clamp<Index>(local_rows() - first, 0, step);
  reduced_.resize(std::max(reduced_.size(), static_cast<std::size_t>(own * pairs)));
  check_mpi(
      MPI_Reduce_scatter(partial_sums_.data(), reduced_.data(), counts_.data(), MPI_DOUBLE, MPI_SUM, comm()));
  for (Index pair = 0; pair < pairs; ++pair)
    std::copy_n(reduced_.data() + pair * own, own, factors_.entry(pair) + std::min(first, local_rows()));
}

void DynamicsMatrix::apply_inverse(const double* v, double* out) const {
  softmax_.multiply_transpose(outputs_, v, product_.data());
  for (std::size_t i = 0; i < work_.size(); ++i) work_[i] = v[i] - gamma_ * product_[i];
  factors_.solve(work_.data());
  softmax_.multiply(outputs_, work_.data(), product_.data());
  for (std::size_t i = 0; i < work_.size(); ++i) out[i] = work_[i] - gamma_ * product_[i];
}

void DynamicsMatrix::state_weights(const double* c, double* d) const {
  const Index rows = local_rows();
  std::fill_n(d, rows, 0.0);
  const auto add = [&](const double* weights, double share) {  // share · weightsᵀ M_k⁻¹ weights
    for (Index a = 0; a < outputs_; ++a) std::fill_n(work_.data() + a * rows, rows, weights[a]);
    factors_.solve(work_.data());
    for (Index a = 0; a < outputs_; ++a)
      for (Index k = 0; k < rows; ++k) d[k] += share * weights[a] * work_[a * rows + k];
  };
  if (c != nullptr) return add(c, 1.0);
  for (Index a = 0; a < outputs_; ++a) {
    std::vector<double> unit(static_cast<std::size_t>(outputs_));
    unit[a] = 1.0;
    add(unit.data(), 1.0 / static_cast<double>(outputs_));
  }
}

void DynamicsMatrix::apply_state_inverse(const double* d, const double* v, double* out) const {
  const Index rows = local_rows();
  softmax_.multiply_transpose(1, v, product_.data());
  for (Index k = 0; k < rows; ++k) work_[k] = d[k] * (v[k] - gamma_ * product_[k]);
  softmax_.multiply(1, work_.data(), product_.data());
  for (Index k = 0; k < rows; ++k) out[k] = work_[k] - gamma_ * product_[k];
}

void DynamicsMatrix::apply(const double* v, double* out, const LinearMap& solve,
                           const LinearMap& solve_transpose) const {
  solve(v, work_.data());
  factors_.multiply(work_.data());
  solve_transpose(work_.data(), product_.data());
  std::copy(product_.begin(), product_.end(), out);
}

void DynamicsMatrix::apply_factor(const double* v, double* out, const LinearMap& solve) const {
  solve(v, work_.data());
  factors_.multiply_factor_transpose(work_.data());
  std::copy(work_.begin(), work_.end(), out);
}

void DynamicsMatrix::apply_factor_transpose(const double* v, double* out,
                                            const LinearMap& solve_transpose) const {
  std::copy_n(v, work_.size(), work_.begin());
  factors_.multiply_factor(work_.data());
  solve_transpose(work_.data(), product_.data());
  std::copy(product_.begin(), product_.end(), out);
}

std::vector<double> DynamicsMatrix::top_eigenvector(std::vector<double> matrix) const {
  sum_over_ranks(comm(), matrix);
  std::vector<double> vectors = symmetric_eigen(outputs_, std::move(matrix)).vectors;
  vectors.resize(static_cast<std::size_t>(outputs_));
  return vectors;
}

void DynamicsMatrix::best_product(const double* x, double* out) const {
  const Index rows = local_rows();
  const auto square = static_cast<std::size_t>(outputs_ * outputs_);
  std::vector<double> gram(square);
  gemm('T', 'N', outputs_, outputs_, rows, 1.0, x, rows, x, rows, 0.0, gram.data(), outputs_);
  const std::vector<double> c0 = top_eigenvector(std::move(gram));
  std::vector<double> p(static_cast<std::size_t>(rows));
  std::vector<double> t(p.size());  // Uᵀ p
  gemm('N', 'N', rows, 1, outputs_, 1.0, x, rows, c0.data(), outputs_, 0.0, p.data(), rows);
  softmax_.multiply_transpose(1, p.data(), t.data());
  for (std::size_t k = 0; k < t.size(); ++k) t[k] = p[k] - gamma_ * t[k];

  // <p cᵀ, D⁻¹ p cᵀ> = cᵀ (Σ_k t_k² M_k⁻¹) c
  std::vector<double> quotient(square);
  for (Index a = 0; a < outputs_; ++a) {
    std::fill(work_.begin(), work_.end(), 0.0);
    std::copy(t.begin(), t.end(), work_.data() + a * rows);
    factors_.solve(work_.data());
    gemm('T', 'N', outputs_, 1, rows, 1.0, work_.data(), rows, t.data(), rows, 0.0,
         quotient.data() + a * outputs_, outputs_);
  }
  const std::vector<double> c = top_eigenvector(std::move(quotient));
  double norm2 = std::inner_product(p.begin(), p.end(), p.begin(), 0.0);
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &norm2, 1, MPI_DOUBLE, MPI_SUM, comm()));
  gemm('N', 'N', rows, outputs_, 1, 1.0 / std::sqrt(norm2), p.data(), rows, c.data(), 1, 0.0, out, rows);
}

}  // namespace theory
}  // namespace poise
