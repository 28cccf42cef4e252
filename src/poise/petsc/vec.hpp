#pragma once

#include <petscvec.h>

#include <cstddef>
#include <span>

#include "poise/base/check.hpp"
#include "poise/base/process_grid.hpp"
#include "poise/petsc/handle.hpp"

namespace poise {
inline namespace petsc {

/// Scoped read access to the local entries of a Vec; restores on destruction. Not collective.
class ReadArray {
 public:
  explicit ReadArray(Vec vec) : vec_(vec) {
    PetscInt size = 0;
    check(VecGetLocalSize(vec, &size));
    size_ = static_cast<std::size_t>(size);
    check(VecGetArrayRead(vec, &data_));
  }
  ~ReadArray() { (void)VecRestoreArrayRead(vec_, &data_); }
  ReadArray(const ReadArray&) = delete;
  ReadArray& operator=(const ReadArray&) = delete;
  [[nodiscard]] const double* data() const { return data_; }
  [[nodiscard]] std::span<const double> span() const { return {data_, size_}; }
  double operator[](std::size_t i) const { return data_[i]; }

 private:
  Vec vec_;
  const PetscScalar* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Scoped read-write access to the local entries of a Vec; restores on destruction. Not collective.
class WriteArray {
 public:
  explicit WriteArray(Vec vec) : vec_(vec) {
    PetscInt size = 0;
    check(VecGetLocalSize(vec, &size));
    size_ = static_cast<std::size_t>(size);
    check(VecGetArray(vec, &data_));
  }
  ~WriteArray() { (void)VecRestoreArray(vec_, &data_); }
  WriteArray(const WriteArray&) = delete;
  WriteArray& operator=(const WriteArray&) = delete;
  [[nodiscard]] double* data() { return data_; }
  [[nodiscard]] std::span<double> span() { return {data_, size_}; }
  double& operator[](std::size_t i) { return data_[i]; }

 private:
  Vec vec_;
  PetscScalar* data_ = nullptr;
  std::size_t size_ = 0;
};

/// While this object lives, the local entries of `vec` are the caller's `array` of the same size, without a
/// copy. Not collective.
class PlacedArray {
 public:
  PlacedArray(Vec vec, double* array) : vec_(vec) { check(VecPlaceArray(vec, array)); }
  ~PlacedArray() { (void)VecResetArray(vec_); }
  PlacedArray(const PlacedArray&) = delete;
  PlacedArray& operator=(const PlacedArray&) = delete;

 private:
  Vec vec_;
};

/// Collective. A new Vec with `local_size` entries on this rank.
[[nodiscard]] VecHandle create_vec(MPI_Comm comm, Index local_size);
/// Collective. A new Vec of the same layout; its entries are not set.
[[nodiscard]] VecHandle duplicate(Vec vec);
/// Collective. Throws failure, which names `what`, if an entry on any rank is NaN or Inf.
void require_finite(Vec vec, const char* what);

}  // namespace petsc
}  // namespace poise
