#pragma once

#include <mpi.h>

#include <string>

namespace poise {

/// While it lives, what this process prints to standard output and standard error goes to the end of a file:
/// the reports of trainings that run side by side would mix.
class MemberLog {
 public:
  /// Collective; the folder must exist. Throws failure if the file cannot be opened.
  MemberLog(MPI_Comm comm, const std::string& path);
  ~MemberLog();
  MemberLog(const MemberLog&) = delete;
  MemberLog& operator=(const MemberLog&) = delete;

 private:
  int output_ = -1, errors_ = -1;  // what they were
};

}  // namespace poise
