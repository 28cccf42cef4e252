#include "poise/run/dated_directory.hpp"

#include <filesystem>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"
#include "poise/io/durable.hpp"
#include "poise/run/date.hpp"

namespace poise {

std::string make_dated_directory(MPI_Comm comm, const std::string& name) {
  std::string path;
  on_root(comm, [&] {
    const std::string dated = "runs/" + name + date("-%Y%m%d-%H%M%S");
    create_directory("runs");
    path = dated;
    std::error_code code;
    for (int k = 2; !std::filesystem::create_directory(path, code); ++k) {
      if (code) throw failure("cannot create the directory '" + path + "': " + code.message());
      path = dated + "-" + std::to_string(k);
    }
  });
  return broadcast(comm, path);
}

}  // namespace poise
