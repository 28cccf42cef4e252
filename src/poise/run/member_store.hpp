#pragma once

#include <mpi.h>

#include <optional>
#include <string>
#include <vector>

#include "poise/base/ensemble.hpp"
#include "poise/base/process_grid.hpp"

namespace poise {
inline namespace run {

/// The results of the members of a study that is not complete: DIR/members/K.txt for member K. The group of a
/// member writes its file as soon as the member has ended, in whole or not at all, so that a killed program
/// loses only the members that were running. Every group writes by itself: the other ranks compute meanwhile.
class MemberStore {
 public:
  /// Not collective; changes nothing. `names`: the members, in every attempt the same. `study`: a text of all
  /// that the results depend on.
  MemberStore(const std::string& directory, std::vector<std::string> names, const std::string& study);

  /// Collective. The results of earlier attempts; nothing for members without. A damaged file is named in a
  /// warning, and its member has no result. Throws bad_input if a file belongs to a different study.
  [[nodiscard]] std::vector<std::optional<MemberResult>> load(MPI_Comm comm) const;
  /// Not collective. Waits until the result is on the disk. Throws failure.
  void save(Index member, const MemberResult& result) const;
  /// Collective. Removes the folder: the study is complete.
  void clear(MPI_Comm comm) const;

  [[nodiscard]] const std::string& folder() const { return folder_; }

 private:
  [[nodiscard]] std::string path(std::size_t member) const;
  [[nodiscard]] std::string read(std::size_t member) const;

  std::string folder_;
  std::vector<std::string> names_;
  std::string study_;  // its CRC-32
};

}  // namespace run
}  // namespace poise
