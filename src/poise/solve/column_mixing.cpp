// Anderson mixing of the columns of a ColumnIteration.
#include <petscsys.h>  // which petscblaslapack.h needs
#include <petscblaslapack.h>

#include <algorithm>
#include <array>

#include "poise/base/check.hpp"
#include "poise/base/mpi_count.hpp"
#include "poise/solve/column_iteration.hpp"

namespace poise {
namespace {

constexpr std::size_t most_depth = 8;

/// γ of the normal equations; zero where they are singular: then the step is the plain one.
std::array<double, most_depth> solve_normal_equations(std::size_t held, const double* dots) {
  std::array<double, most_depth * most_depth> matrix{};
  std::array<double, most_depth> gamma{};
  if (held == 0) return gamma;
  for (std::size_t i = 0; i < held; ++i)
    for (std::size_t j = 0; j <= i; ++j) matrix[j * held + i] = *dots++;
  double trace = 0.0;
  for (std::size_t i = 0; i < held; ++i) trace += matrix[i * held + i];
  for (std::size_t i = 0; i < held; ++i) matrix[i * held + i] += 1e-14 * trace;
  std::copy_n(dots, held, gamma.begin());
  const auto size = static_cast<PetscBLASInt>(held);
  const PetscBLASInt one = 1;
  PetscBLASInt info = 0;
  LAPACKpotrf_("L", &size, matrix.data(), &size, &info);
  if (info == 0) LAPACKpotrs_("L", &size, &one, matrix.data(), &size, gamma.data(), &size, &info);
  if (info != 0) gamma.fill(0.0);
  return gamma;
}

}  // namespace

// Blocks from first_mixed_: n, f, the same of the iteration before, Δn of the last `depth` iterations (a
// ring), Δf of them.
void ColumnIteration::remember_changes(Index p) {
  if (mixed_ > 0) {
    const std::size_t newest = static_cast<std::size_t>(mixed_ - 1) % depth_;
    for (std::size_t k = 0; k < 2; ++k) {
      const double* now = block(first_mixed_ + k);
      const double* before = block(first_mixed_ + 2 + k);
      double* difference = block(first_mixed_ + 4 + k * depth_ + newest);
      for (Index i = 0; i < rows_ * p; ++i) difference[i] = now[i] - before[i];
    }
  }
  for (std::size_t k = 0; k < 2; ++k)
    std::copy_n(block(first_mixed_ + k), rows_ * p, block(first_mixed_ + 2 + k));
  ++mixed_;
}

void ColumnIteration::products_of_changes(Index slot, std::size_t held, double* out) {
  const auto dot = [this](const double* a, const double* b) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (Index i = 0; i < rows_; ++i) sum += a[i] * b[i];
    return sum;
  };
  const std::size_t first = first_mixed_ + 4 + depth_;
  for (std::size_t i = 0; i < held; ++i)
    for (std::size_t j = 0; j <= i; ++j) *out++ = dot(column(first + i, slot), column(first + j, slot));
  for (std::size_t i = 0; i < held; ++i) *out++ = dot(column(first + i, slot), change(slot));
}

void ColumnIteration::mix(Index p, std::size_t x) {
  remember_changes(p);
  const std::size_t held = std::min(depth_, static_cast<std::size_t>(mixed_ - 1));
  const std::size_t length = held * (held + 3) / 2;
  for (Index slot = 0; slot < p; ++slot)
    products_of_changes(slot, held, dots_.data() + static_cast<std::size_t>(slot) * length);
  if (ranks_ > 1 && length > 0)
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, dots_.data(), mpi_count(p * static_cast<Index>(length)), MPI_DOUBLE,
                            MPI_SUM, comm_));
  for (Index slot = 0; slot < p; ++slot) {
    const auto gamma = solve_normal_equations(held, dots_.data() + static_cast<std::size_t>(slot) * length);
    double* next = column(x, slot);
    std::copy_n(mapped(slot), rows_, next);
    for (std::size_t j = 0; j < held; ++j) {
      const double* difference = column(first_mixed_ + 4 + j, slot);
      for (Index i = 0; i < rows_; ++i) next[i] -= gamma[j] * difference[i];
    }
  }
}

}  // namespace poise
