#include "poise/model/weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/base/options.hpp"
#include "poise/linalg/blas.hpp"
#include "poise/linalg/slice_transpose.hpp"
#include "poise/linalg/spectral_norm.hpp"
#include "poise/model/exponentials.hpp"

namespace poise {
inline namespace model {
namespace {

/// Copies the columns of one block from this rank's rows of θ to `out`: slice rows x block.columns,
/// row-major.
void take_columns(const ParameterLayout& layout, const ParameterBlock& block, const double* theta,
                  double* out) {
  for (Index i = 0; i < layout.slice().size(); ++i)
    std::copy_n(theta + i * layout.row_length() + block.offset, block.columns, out + i * block.columns);
}

/// Copies `in` to the columns of one block in this rank's rows of θ.
void put_columns(const ParameterLayout& layout, const ParameterBlock& block, const double* in,
                 double* theta) {
  for (Index i = 0; i < layout.slice().size(); ++i)
    std::copy_n(in + i * block.columns, block.columns, theta + i * layout.row_length() + block.offset);
}

/// W = γ σ(A).
class SoftmaxWeights final : public Weights {
 public:
  SoftmaxWeights(const ParameterLayout& layout, double gamma)
      : layout_(layout),
        offset_(layout.block_of("A").offset),
        gamma_(gamma),
        softmax_(static_cast<std::size_t>(layout.slice().size() * layout.width())) {}

  void evaluate(Vec theta, double* slice) override {
    const ReadArray values(theta);
    column_softmax(layout_.grid().world(), layout_.slice().size(), layout_.width(), values.data() + offset_,
                   layout_.row_length(), softmax_.data());
    for (std::size_t i = 0; i < softmax_.size(); ++i) slice[i] = gamma_ * softmax_[i];
  }

  void pullback(double* k, double* gradient) override {
    for (std::size_t i = 0; i < softmax_.size(); ++i) k[i] *= gamma_;
    column_softmax_pullback(layout_.grid().world(), layout_.slice().size(), layout_.width(), softmax_.data(),
                            k, layout_.width(), gradient + offset_, layout_.row_length());
  }

  Certificate certificate() override { return {"1", gamma_}; }

 private:
  const ParameterLayout& layout_;
  Index offset_;
  double gamma_;
  std::vector<double> softmax_;  // the rows of S that this rank owns
};

/// W = γ A / max(1, ‖A‖₂).
class SpectralWeights final : public Weights {
 public:
  SpectralWeights(const ParameterLayout& layout, double gamma)
      : layout_(layout),
        block_(layout.block_of("A")),
        gamma_(gamma),
        matrix_(layout.grid().world(), layout.slice_offsets(), layout.matrix_type()),
        norm_(matrix_) {}

  void evaluate(Vec theta, double* slice) override {
    take_columns(layout_, block_, ReadArray(theta).data(), matrix_.rows());
    spectral_norm_ = norm_.compute();
    const double scale = gamma_ / std::max(1.0, spectral_norm_);
    for (Index e = 0; e < size(); ++e) slice[e] = scale * matrix_.rows()[e];
  }

  /// ∂L/∂A = γK for ‖A‖₂ ≤ 1, else γ/‖A‖₂ (K − <K, A>/‖A‖₂ uvᵀ), since uvᵀ is the gradient of ‖A‖₂.
  void pullback(double* k, double* gradient) override {
    const double scale = gamma_ / std::max(1.0, spectral_norm_);
    for (Index e = 0; e < size(); ++e) k[e] *= scale;
    if (spectral_norm_ > 1.0) subtract_gradient_of_norm(k);
    put_columns(layout_, block_, k, gradient);
  }

  void forget() override { norm_.forget(); }
  Certificate certificate() override { return {"2", gamma_}; }

 private:
  [[nodiscard]] Index size() const { return matrix_.local_rows() * matrix_.width(); }

  void subtract_gradient_of_norm(double* k) {
    double inner = 0.0;
    for (Index e = 0; e < size(); ++e) inner += k[e] * matrix_.rows()[e];
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, &inner, 1, MPI_DOUBLE, MPI_SUM, layout_.grid().world()));
    const double* v = matrix_.gather(1, norm_.right().data());
    for (Index i = 0; i < matrix_.local_rows(); ++i) {
      const double factor = inner / spectral_norm_ * norm_.left()[i];
      for (Index j = 0; j < matrix_.width(); ++j) k[i * matrix_.width() + j] -= factor * v[j];
    }
  }

  const ParameterLayout& layout_;
  const ParameterBlock& block_;
  double gamma_;
  RowBlockMatrix matrix_;  // A, rows of this rank's slice
  SpectralNorm norm_;
  double spectral_norm_ = 0.0;
};

/// W = γA.
class FreeWeights final : public Weights {
 public:
  FreeWeights(const ParameterLayout& layout, double gamma)
      : layout_(layout),
        block_(layout.block_of("A")),
        gamma_(gamma),
        matrix_(layout.grid().world(), layout.slice_offsets(), layout.matrix_type()),
        norm_(matrix_) {}

  void evaluate(Vec theta, double* slice) override {
    take_columns(layout_, block_, ReadArray(theta).data(), matrix_.rows());
    for (Index e = 0; e < size(); ++e) slice[e] = gamma_ * matrix_.rows()[e];
  }

  void pullback(double* k, double* gradient) override {
    for (Index e = 0; e < size(); ++e) k[e] *= gamma_;
    put_columns(layout_, block_, k, gradient);
  }

  void forget() override { norm_.forget(); }
  Certificate certificate() override { return {"2", gamma_ * norm_.compute()}; }

 private:
  [[nodiscard]] Index size() const { return matrix_.local_rows() * matrix_.width(); }

  const ParameterLayout& layout_;
  const ParameterBlock& block_;
  double gamma_;
  RowBlockMatrix matrix_;  // A, rows of this rank's slice
  SpectralNorm norm_;
};

/// W = (1−μ)I − PᵀP + Q − Qᵀ, THEORY.md 2.3. Each product with a distributed m x m matrix first gathers the
/// whole matrix on every rank: m² numbers of memory and traffic, for 2m³/P flops at the speed of dgemm.
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

WeightKind parse_weights(const std::string& name) {
  if (name == "softmax") return WeightKind::softmax;
  if (name == "spectral") return WeightKind::spectral;
  if (name == "free") return WeightKind::free;
  if (name == "monotone") return WeightKind::monotone;
  throw bad_input("unknown weights '" + name + "': choose softmax, spectral, free or monotone");
}

std::string to_string(WeightKind kind) {
  switch (kind) {
    case WeightKind::softmax:
      return "softmax";
    case WeightKind::spectral:
      return "spectral";
    case WeightKind::free:
      return "free";
    case WeightKind::monotone:
      return "monotone";
  }
  return {};
}

std::vector<ParameterBlock> weight_blocks(WeightKind kind, Index m) {
  const double scale = kind == WeightKind::softmax ? 1.0 : 0.5 / std::sqrt(static_cast<double>(m));
  if (kind != WeightKind::monotone) return {{.name = "A", .columns = m, .scale = scale}};
  return {{.name = "P", .columns = m, .scale = scale}, {.name = "Q", .columns = m, .scale = scale}};
}

std::unique_ptr<Weights> make_weights(WeightKind kind, const ParameterLayout& layout, double gamma) {
  if (!(gamma > 0.0 && gamma <= 1.0))  // false for a NaN too
    throw Error(ExitCode::bad_input,
                fmt::format("the {} is {}: choose it in (0, 1]",
                            kind == WeightKind::monotone ? "margin of monotone weights"
                                                         : "contraction factor of the weights",
                            to_text(gamma)),
                true);
  switch (kind) {
    case WeightKind::softmax:
      return std::make_unique<SoftmaxWeights>(layout, gamma);
    case WeightKind::spectral:
      return std::make_unique<SpectralWeights>(layout, gamma);
    case WeightKind::free:
      return std::make_unique<FreeWeights>(layout, gamma);
    case WeightKind::monotone:
      return std::make_unique<MonotoneWeights>(layout, gamma);
  }
  throw failure("unknown kind of weights");
}

}  // namespace model
}  // namespace poise
