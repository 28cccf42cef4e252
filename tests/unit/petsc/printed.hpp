#pragma once

#include <petscsys.h>

#include <cstdarg>
#include <cstdio>
#include <string>
#include <vector>

namespace poise::testing_support {

/// Collects what PETSc prints on this rank while this object exists.
class Printed {
 public:
  Printed() : before_(PetscVFPrintf) {
    text() = "";
    PetscVFPrintf = record;
  }
  ~Printed() { PetscVFPrintf = before_; }
  Printed(const Printed&) = delete;
  Printed& operator=(const Printed&) = delete;
  static std::string& text() {
    static std::string printed;
    return printed;
  }

 private:
  static PetscErrorCode record(FILE* file, const char format[], va_list arguments) {
    if (file != stdout) {
      (void)std::vfprintf(file, format, arguments);
      return static_cast<PetscErrorCode>(0);
    }
    std::vector<char> buffer(1 << 16);
    size_t length = 0;
    const PetscErrorCode code = PetscVSNPrintf(buffer.data(), buffer.size(), format, &length, arguments);
    text() += buffer.data();
    return code;
  }

  PetscErrorCode (*before_)(FILE*, const char[], va_list);
};

}  // namespace poise::testing_support
