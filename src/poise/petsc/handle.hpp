#pragma once

#include <petscksp.h>
#include <petscsnes.h>
#include <petscts.h>
#include <slepceps.h>

#include <utility>

namespace poise {
inline namespace petsc {

/// Move-only owner of a PETSc or SLEPc object. `get()` gives the raw handle, so the whole PETSc API stays
/// usable; `out()` is for functions that create an object through a pointer. The destructor never throws.
template <class T, auto Destroy>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T object) noexcept : object_(object) {}
  Handle(Handle&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (object_ != nullptr) (void)Destroy(&object_);
  }

  [[nodiscard]] T get() const noexcept { return object_; }
  /// Destroys the held object, if any, and returns where to store a new one.
  [[nodiscard]] T* out() noexcept {
    if (object_ != nullptr) (void)Destroy(&object_);
    object_ = nullptr;
    return &object_;
  }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  T object_ = nullptr;
};

using VecHandle = Handle<Vec, VecDestroy>;
using MatHandle = Handle<Mat, MatDestroy>;
using KspHandle = Handle<KSP, KSPDestroy>;
using SnesHandle = Handle<SNES, SNESDestroy>;
using TsHandle = Handle<TS, TSDestroy>;
using EpsHandle = Handle<EPS, EPSDestroy>;

}  // namespace petsc
}  // namespace poise
