#include "poise/run/member_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"

namespace poise {
namespace {

void flush() {
  std::fflush(stdout);
  std::fflush(stderr);
}

}  // namespace

MemberLog::MemberLog(MPI_Comm comm, const std::string& path) {
  int file = -1;
  agree(comm, [&] {
    file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0) throw failure("cannot open '" + path + "': " + std::strerror(errno));
  });
  flush();
  output_ = ::dup(STDOUT_FILENO);
  errors_ = ::dup(STDERR_FILENO);
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  ::close(file);
}

MemberLog::~MemberLog() {
  flush();
  ::dup2(output_, STDOUT_FILENO);
  ::dup2(errors_, STDERR_FILENO);
  ::close(output_);
  ::close(errors_);
}

}  // namespace poise
