#include "poise/io/run_directory.hpp"

#include <filesystem>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/durable.hpp"

namespace poise {

RunDirectory::RunDirectory(MPI_Comm comm, std::string path) : comm_(comm), path_(std::move(path)) {
  int held = 0;
  on_root(comm_, [&] {
    if (path_.empty()) throw bad_input("the name of the run directory is empty: give -run DIR");
    create_directory(checkpoints());
    std::error_code code;
    const bool exists = std::filesystem::exists(run_file(), code);
    // Not knowing is no leave to write over it.
    if (code) throw failure("cannot look for '" + run_file() + "': " + code.message());
    held = exists || !list_checkpoints(checkpoints()).empty();
  });
  check_mpi(MPI_Bcast(&held, 1, MPI_INT, 0, comm_));
  held_run_ = held != 0;
}

void RunDirectory::write_options(const std::string& text) const {
  on_root(comm_, [&] { replace_file(path_ + "/options.txt", text); });
}

void RunDirectory::mark_done(const std::string& text) const {
  on_root(comm_, [&] { replace_file(done_file(), text); });
}

void RunDirectory::clear_done() const {
  on_root(comm_, [&] {
    std::error_code code;
    if (std::filesystem::remove(done_file(), code)) sync_path(path_);
    if (code) throw failure("cannot remove '" + done_file() + "': " + code.message());
  });
}

}  // namespace poise
