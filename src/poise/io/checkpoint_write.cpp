#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/checkpoint_format.hpp"
#include "poise/io/checksum.hpp"
#include "poise/io/durable.hpp"

namespace poise {
namespace {

/// Collective. The blocks of the ranks must follow each other and cover the matrix.
void require_partition(MPI_Comm comm, const Snapshot::Matrix& matrix) {
  int rank = 0;
  int size = 1;
  check_mpi(MPI_Comm_rank(comm, &rank));
  check_mpi(MPI_Comm_size(comm, &size));
  std::vector<Range> parts(static_cast<std::size_t>(size));
  const Range mine = matrix.part;
  check_mpi(MPI_Allgather(&mine, 2, MPI_INT64_T, parts.data(), 2, MPI_INT64_T, comm));
  agree(comm, [&] {
    Index next = 0;
    for (const Range& part : parts) {
      if (part.size() == 0) continue;
      if (part.begin != next || part.end < next) next = -1;
      if (next < 0) break;
      next = part.end;
    }
    if (next != (matrix.by_columns ? matrix.columns : matrix.rows) || matrix.rows < 0 || matrix.columns < 0)
      throw failure("checkpoint: the ranks' blocks of " + matrix.name + " do not follow each other");
  });
}

/// The block without gaps, as it lies in the file: row-major.
std::vector<double> pack(const Snapshot::Matrix& matrix) {
  const Index lines = matrix.part.size();
  const Index length = matrix.by_columns ? matrix.rows : matrix.columns;
  std::vector<double> block(static_cast<std::size_t>(lines * length));
  for (Index i = 0; i < lines; ++i) {
    const double* line = matrix.data + i * matrix.stride;
    if (!matrix.by_columns)
      std::copy_n(line, length, block.data() + i * length);
    else
      for (Index j = 0; j < length; ++j) block[static_cast<std::size_t>(j * lines + i)] = line[j];
  }
  return block;
}

std::uint32_t checksum_of(MPI_Comm comm, const Snapshot::Matrix& matrix, std::span<const double> block) {
  const auto pieces = static_cast<std::size_t>(matrix.by_columns ? matrix.rows : 1);
  const std::size_t length = pieces == 0 ? 0 : block.size() / pieces;
  std::vector<std::uint32_t> checksums(pieces);
  for (std::size_t p = 0; p < pieces; ++p) checksums[p] = crc32_of(block.subspan(p * length, length));
  return combine_crc32(comm, checksums, static_cast<Index>(length));
}

void write_matrix(H5File& file, Manifest& manifest, const Snapshot::Matrix& matrix) {
  require_partition(file.comm(), matrix);
  std::vector<double> block;
  agree(file.comm(), [&] { block = pack(matrix); });
  const Range part = matrix.part.size() > 0 ? matrix.part : Range{};
  if (matrix.by_columns)
    file.write_columns(matrix.name, matrix.rows, matrix.columns, part, block);
  else
    file.write_rows(matrix.name, {matrix.rows, matrix.columns}, part, block);
  const std::uint32_t crc = checksum_of(file.comm(), matrix, block);
  file.set_attribute(matrix.name, "crc32", Index{crc});
  manifest.add_data_set(matrix.name, {matrix.rows, matrix.columns}, crc);
}

void write_array(H5File& file, Manifest& manifest, const Snapshot::Array& array) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(file.comm(), &rank));
  const std::span<const double> all(array.values);
  const Index length = array.dims.empty() ? 0 : array.dims[0];
  file.write_rows(array.name, array.dims, {0, rank == 0 ? length : 0}, rank == 0 ? all : all.first(0));
  std::uint32_t crc = crc32_of(all);
  check_mpi(MPI_Bcast(&crc, 1, MPI_UINT32_T, 0, file.comm()));
  file.set_attribute(array.name, "crc32", Index{crc});
  manifest.add_data_set(array.name, array.dims, crc);
}

void write_content(H5File& file, const Snapshot& snapshot) {
  Manifest manifest;
  const auto write_scalar = [&](const std::string& object, const std::string& name, const H5Value& value) {
    file.set_attribute(object, name, value);
    manifest.add_attribute(object, name, value);
  };
  write_scalar("/", "schema", std::string(checkpoint_schema));
  for (const auto& matrix : snapshot.matrices) write_matrix(file, manifest, matrix);
  for (const auto& array : snapshot.arrays) write_array(file, manifest, array);
  for (const auto& scalar : snapshot.scalars) {
    file.create_group(scalar.group);
    write_scalar(scalar.group, scalar.name, scalar.value);
  }
  file.create_group("/config");
  for (const auto& [name, value] : snapshot.config) write_scalar("/config", name, value);
  file.set_attribute("/", "checksum", manifest.checksum());
  file.set_attribute("/", "complete", Index{1});
}

/// What the file will need at most: the entries, and HDF5's own structures and partly filled chunks.
std::uint64_t bytes_needed(const Snapshot& snapshot) {
  std::uint64_t entries = 0;
  for (const auto& matrix : snapshot.matrices)
    entries += static_cast<std::uint64_t>(matrix.rows) * static_cast<std::uint64_t>(matrix.columns);
  for (const auto& array : snapshot.arrays) entries += array.values.size();
  return entries * sizeof(double) + entries / 2 + (std::uint64_t{1} << 18);
}

/// Rank 0: removes checkpoints older than the newest `keep` up to `step`, and what killed writers left.
void prune(const std::string& folder, Index step, int keep) {
  std::error_code ignored;
  std::vector<std::filesystem::path> leftovers;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(".step-", 0) == 0 && name.ends_with(".tmp")) leftovers.push_back(entry.path());
  }
  for (const auto& path : leftovers) std::filesystem::remove(path, ignored);
  if (keep <= 0) return;
  int kept = 0;
  for (const Index old : list_checkpoints(folder))
    if (old <= step && ++kept > keep) std::filesystem::remove(checkpoint_path(folder, old), ignored);
}

}  // namespace

std::string write_checkpoint(MPI_Comm comm, const std::string& folder, Index step, const Snapshot& snapshot,
                             int keep) {
  static const LogEvent event("CheckpointWrite");
  const auto scope = event.begin();
  std::string path = checkpoint_path(folder, step);
  const std::string name = std::filesystem::path(path).filename().string();
  const std::string temporary = folder + "/." + name + ".tmp";
  try {
    const std::uint64_t bytes = bytes_needed(snapshot);
    on_root(comm, [&] { require_space(temporary, bytes); });
    agree(comm, [&] { require_writable(temporary, bytes); });  // also finds a folder that ranks do not share
    H5File file = H5File::create(comm, temporary);
    file.write_texts_in_place();
    on_root(comm, [&] { reserve_space(temporary, bytes); });
    write_content(file, snapshot);
    file.close();
    on_root(comm, [&] { trim(temporary); });
    agree(comm, [&] { sync_path(temporary); });
    on_root(comm, [&] { rename_durably(temporary, path); });
  } catch (const Error&) {  // the same on all ranks
    on_root(comm, [&] { ::unlink(temporary.c_str()); });
    throw;
  }
  on_root(comm, [&] {
    replace_file(folder + "/latest", name + "\n");
    prune(folder, step, keep);
  });
  return path;
}

}  // namespace poise
