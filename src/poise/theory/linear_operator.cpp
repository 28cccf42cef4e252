#include "poise/theory/linear_operator.hpp"

#include <cmath>

#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/base/random.hpp"

namespace poise {

LinearOperator operator_of(const RowBlockMatrix& matrix) {
  return {matrix.comm(),
          matrix.row_begin(),
          matrix.local_rows(),
          1,
          matrix.width(),
          [&matrix](const double* x, double* y) { matrix.multiply(1, x, y); },
          [&matrix](const double* x, double* y) { matrix.multiply_transpose(1, x, y); }};
}

LinearOperator operator_of(const RowBlockMatrix& matrix, const double* d) {
  LinearOperator op = operator_of(matrix);
  const Index rows = op.rows;
  op.apply = [&matrix, d, rows](const double* x, double* y) {
    matrix.multiply(1, x, y);
    for (Index i = 0; i < rows; ++i) y[i] *= d[i];
  };
  op.apply_transpose = [&matrix, d, rows](const double* x, double* y) {
    std::vector<double> scaled(static_cast<std::size_t>(rows));
    for (Index i = 0; i < rows; ++i) scaled[i] = d[i] * x[i];
    matrix.multiply_transpose(1, scaled.data(), y);
  };
  return op;
}

double frobenius_norm(const RowBlockMatrix& matrix, const double* d) {
  double sum = 0.0;
  for (Index i = 0; i < matrix.local_rows(); ++i)
    for (Index j = 0; j < matrix.width(); ++j) {
      const double entry = matrix.rows()[i * matrix.width() + j] * (d != nullptr ? d[i] : 1.0);
      sum += entry * entry;
    }
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, matrix.comm()));
  if (!std::isfinite(sum))
    throw Error(ExitCode::failed, "the weights or slopes hold a NaN or an Inf, or overflow", true);
  return std::sqrt(sum);
}

std::vector<double> random_vector(const LinearOperator& op) {
  const CounterRandom random(0, Stream::eigenvector);
  std::vector<double> out(static_cast<std::size_t>(op.rows * op.columns));
  for (Index c = 0; c < op.columns; ++c)
    for (Index i = 0; i < op.rows; ++i)
      out[c * op.rows + i] =
          random.normal(static_cast<std::uint64_t>(op.row_begin + i), static_cast<std::uint64_t>(c));
  return out;
}

double vector_norm(const LinearOperator& op, const std::vector<double>& x) {
  double square = 0.0;
  for (const double value : x) square += value * value;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &square, 1, MPI_DOUBLE, MPI_SUM, op.comm));
  return std::sqrt(square);
}

}  // namespace poise
