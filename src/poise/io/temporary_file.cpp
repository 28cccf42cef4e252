#include "poise/io/temporary_file.hpp"

#include <cstdio>

#include "poise/base/agree.hpp"
#include "poise/io/durable.hpp"

namespace poise {
inline namespace io {

TemporaryFile::~TemporaryFile() {
  int rank = 0;
  MPI_Comm_rank(comm_, &rank);
  if (rank == 0 && !committed_) (void)std::remove(name().c_str());
}

void TemporaryFile::commit() {
  agree(comm_, [&] { sync_path(name()); });
  on_root(comm_, [&] { rename_durably(name(), path_); });
  committed_ = true;
}

}  // namespace io
}  // namespace poise
