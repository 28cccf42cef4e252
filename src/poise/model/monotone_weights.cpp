#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/linalg/slice_transpose.hpp"
#include "poise/model/weight_kinds.hpp"

namespace poise {
namespace {

/// W = (1−μ)I − PᵀP + Q − Qᵀ, THEORY.md 2.3. Each product with a distributed m x m matrix takes all of it on
/// every rank: m² numbers of memory and traffic for 2m³/P flops at the speed of dgemm.
class MonotoneWeights final : public Weights {
 public:
  MonotoneWeights(const ParameterLayout& layout, double margin)
      : layout_(layout),
        m_(layout.width()),
        rows_(layout.slice().size()),
        p_block_(layout.block_of("P")),
        q_block_(layout.block_of("Q")),
        margin_(margin),
        transpose_(layout.grid().world(), layout.slice_offsets()),
        p_(static_cast<std::size_t>(rows_ * m_)),
        transposed_(p_.size()) {
    const std::vector<Index>& offsets = layout.slice_offsets();
    (void)mpi_count(m_ * m_);
    for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
      counts_.push_back(static_cast<int>((offsets[r + 1] - offsets[r]) * m_));
      displacements_.push_back(static_cast<int>(offsets[r] * m_));
    }
    if (counts_.size() > 1) all_.resize(static_cast<std::size_t>(m_ * m_));
  }

  // Row-major rows are the columns of a column-major matrix, so gemm sees every matrix here transposed.

  void evaluate(Vec theta, double* slice) override {
    const ReadArray values(theta);
    take_columns(layout_, p_block_, values.data(), p_.data());
    transpose_.apply(values.data() + q_block_.offset, layout_.row_length(), transposed_.data());
    for (Index i = 0; i < rows_; ++i) {
      const double* q = values.data() + i * layout_.row_length() + q_block_.offset;
      for (Index j = 0; j < m_; ++j) slice[i * m_ + j] = q[j] - transposed_[i * m_ + j];
      slice[i * m_ + layout_.slice().begin + i] += 1.0 - margin_;
    }
    const double* p = gather(p_.data());
    gemm('N', 'T', m_, rows_, m_, -1.0, p, m_, p + layout_.slice().begin, m_, 1.0, slice, m_);
  }

  /// ∂L/∂P = −P(K + Kᵀ), ∂L/∂Q = K − Kᵀ.
  void pullback(double* k, double* gradient) override {
    transpose_.apply(k, m_, transposed_.data());
    for (Index i = 0; i < rows_; ++i) {
      double* q = gradient + i * layout_.row_length() + q_block_.offset;
      for (Index j = 0; j < m_; ++j) {
        const double entry = k[i * m_ + j];
        const double mirrored = transposed_[i * m_ + j];
        q[j] = entry - mirrored;
        k[i * m_ + j] = entry + mirrored;
      }
    }
    const double* sum = gather(k);
    gemm('N', 'N', m_, rows_, m_, -1.0, sum, m_, p_.data(), m_, 0.0, gradient + p_block_.offset,
         layout_.row_length());
  }

  /// I − W = μI + PᵀP − (Q − Qᵀ), whose symmetric part is at least μI.
  Certificate certificate() override { return {"monotone", 1.0 - margin_}; }

 private:
  /// All m rows of a matrix on every rank, valid until the next call.
  const double* gather(const double* rows) {
    if (counts_.size() == 1) return rows;
    check_mpi(MPI_Allgatherv(rows, mpi_count(rows_ * m_), MPI_DOUBLE, all_.data(), counts_.data(),
                             displacements_.data(), MPI_DOUBLE, layout_.grid().world()));
    return all_.data();
  }

  const ParameterLayout& layout_;
  Index m_, rows_;
  const ParameterBlock& p_block_;
  const ParameterBlock& q_block_;
  double margin_;
  SliceTranspose transpose_;
  std::vector<double> p_;           // P, rows of this rank's slice
  std::vector<double> transposed_;  // Qᵀ or Kᵀ, rows of this rank's slice
  std::vector<double> all_;         // P or K + Kᵀ, all rows
  std::vector<int> counts_, displacements_;
};

}  // namespace

std::unique_ptr<Weights> make_monotone_weights(const ParameterLayout& layout, double margin) {
  return std::make_unique<MonotoneWeights>(layout, margin);
}

}  // namespace poise
