#include "poise_compare/spectrum.hpp"

#include <petscsys.h>
#include <petscblaslapack.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "poise/base/error.hpp"

namespace poise::compare {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

double ratio(double a, double b) {
  return b > 0.0 ? a / b : none;
}

void require_success(PetscBLASInt info, const char* routine, const char* what) {
  if (info != 0)
    throw failure(std::string(what) + ": LAPACK " + routine + " returned " + std::to_string(info));
}

double norm_1(Index rows, const std::vector<double>& a) {
  double largest = 0.0;
  for (auto column = a.begin(); column != a.end(); column += rows)
    largest = std::max(largest, std::accumulate(column, column + rows, 0.0,
                                                [](double sum, double x) { return sum + std::abs(x); }));
  return largest;
}

std::vector<double> difference(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> d(a.size());
  std::transform(a.begin(), a.end(), b.begin(), d.begin(), std::minus<>());
  return d;
}

}  // namespace

std::vector<double> singular_values(Index rows, Index columns, std::vector<double> matrix) {
  if (!std::all_of(matrix.begin(), matrix.end(), [](double x) { return std::isfinite(x); }))
    throw failure("singular values of a matrix that holds NaN or Inf: the training has diverged");
  std::vector<double> values(static_cast<std::size_t>(std::min(rows, columns)));
  if (values.empty()) return values;
  const auto m = static_cast<PetscBLASInt>(rows), n = static_cast<PetscBLASInt>(columns);
  const PetscBLASInt one = 1;
  PetscBLASInt length = -1, info = 0;  // first ask how much work space is best
  double best = 0.0, unused = 0.0;
  LAPACKgesvd_("N", "N", &m, &n, matrix.data(), &m, values.data(), &unused, &one, &unused, &one, &best,
               &length, &info);
  require_success(info, "gesvd", "singular values");
  length = static_cast<PetscBLASInt>(best);
  std::vector<double> work(static_cast<std::size_t>(length));
  LAPACKgesvd_("N", "N", &m, &n, matrix.data(), &m, values.data(), &unused, &one, &unused, &one, work.data(),
               &length, &info);
  require_success(info, "gesvd", "singular values");
  return values;
}

Spectrum spectrum_of(const std::vector<double>& values) {
  Spectrum s;
  double squares = 0.0;
  for (const double v : values) {
    s.nuclear += v;
    squares += v * v;
  }
  s.frobenius = std::sqrt(squares);
  const double largest = values.empty() ? 0.0 : values.front();
  s.stable_rank = ratio(squares, largest * largest);
  if (largest <= 0.0) {
    s.effective_rank = none;
    return s;
  }
  double entropy = 0.0;
  for (const double v : values)
    if (v > 0.0) entropy -= v / s.nuclear * std::log(v / s.nuclear);
  s.effective_rank = std::exp(entropy);
  return s;
}

double frobenius_norm(const std::vector<double>& a) {
  return std::sqrt(std::inner_product(a.begin(), a.end(), a.begin(), 0.0));
}

double relative_distance(const std::vector<double>& a, const std::vector<double>& b) {
  return ratio(frobenius_norm(difference(a, b)), frobenius_norm(b));
}

double relative_distance_1(Index rows, const std::vector<double>& a, const std::vector<double>& b) {
  return ratio(norm_1(rows, difference(a, b)), norm_1(rows, b));
}

double alignment(const std::vector<double>& a, const std::vector<double>& b) {
  return ratio(std::inner_product(a.begin(), a.end(), b.begin(), 0.0), frobenius_norm(a) * frobenius_norm(b));
}

std::vector<double> solve_from_right(Index q, Index k, Index d, const std::vector<double>& t,
                                     const std::vector<double>& m) {
  // Tᵀ Wᵀ = Mᵀ in least squares: Tᵀ is d x k, Mᵀ is d x q.
  std::vector<double> matrix(t.size()), sides(m.size());
  for (Index i = 0; i < k; ++i)
    for (Index j = 0; j < d; ++j)
      matrix[static_cast<std::size_t>(i * d + j)] = t[static_cast<std::size_t>(j * k + i)];
  for (Index c = 0; c < q; ++c)
    for (Index j = 0; j < d; ++j)
      sides[static_cast<std::size_t>(c * d + j)] = m[static_cast<std::size_t>(j * q + c)];
  const auto rows = static_cast<PetscBLASInt>(d), columns = static_cast<PetscBLASInt>(k),
             count = static_cast<PetscBLASInt>(q);
  PetscBLASInt length = -1, info = 0, rank = 0;
  double best = 0.0, cut = -1.0;  // singular values below machine precision are zero
  std::vector<double> values(static_cast<std::size_t>(std::min(k, d)));
  LAPACKgelss_(&rows, &columns, &count, matrix.data(), &rows, sides.data(), &rows, values.data(), &cut, &rank,
               &best, &length, &info);
  require_success(info, "gelss", "the teacher in the features");
  length = static_cast<PetscBLASInt>(best);
  std::vector<double> work(static_cast<std::size_t>(length));
  LAPACKgelss_(&rows, &columns, &count, matrix.data(), &rows, sides.data(), &rows, values.data(), &cut, &rank,
               work.data(), &length, &info);
  require_success(info, "gelss", "the teacher in the features");
  std::vector<double> w(static_cast<std::size_t>(q * k));
  for (Index i = 0; i < k; ++i)
    for (Index c = 0; c < q; ++c)
      w[static_cast<std::size_t>(i * q + c)] = sides[static_cast<std::size_t>(c * d + i)];
  return w;
}

}  // namespace poise::compare
