#include "poise/io/checkpoint.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/io/checksum.hpp"
#include "poise/io/durable.hpp"

namespace poise {
inline namespace io {
namespace {

/// Collective. Throws unless the blocks of the ranks follow each other and cover the matrix.
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

/// What the indices of a data set count, for readers of the file.
void name_axes(H5File& file, Manifest& manifest, const std::string& name, const std::string& axes) {
  if (axes.empty()) return;
  file.set_attribute(name, axes_attribute, axes);
  manifest.add_attribute(name, axes_attribute, axes);
}

/// This rank's block without gaps, row-major as in the file.
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
  name_axes(file, manifest, matrix.name, matrix.axes);
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
  name_axes(file, manifest, array.name, array.axes);
}

/// Without blanks at the end, which do not come back (H5File::read_texts).
std::uint32_t checksum_of_texts(const std::vector<std::string>& texts) {
  std::string bytes;
  for (const std::string& text : texts) bytes += text.substr(0, text.find_last_not_of(' ') + 1) + '\0';
  return crc32_of(std::string_view(bytes));
}

void write_texts(H5File& file, Manifest& manifest, const Snapshot::Texts& texts) {
  file.write_texts(texts.name, texts.values);
  const std::uint32_t crc = checksum_of_texts(texts.values);
  file.set_attribute(texts.name, "crc32", Index{crc});
  manifest.add_data_set(texts.name, {static_cast<Index>(texts.values.size())}, crc);
  name_axes(file, manifest, texts.name, texts.axes);
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
  for (const auto& texts : snapshot.texts) write_texts(file, manifest, texts);
  for (const auto& scalar : snapshot.scalars) {
    file.create_group(scalar.group);
    write_scalar(scalar.group, scalar.name, scalar.value);
  }
  file.create_group("/config");
  for (const auto& [name, value] : snapshot.config)
    write_scalar("/config", name, typed_value(name, value, snapshot.config_kinds));
  file.set_attribute("/", "checksum", manifest.checksum());
  file.set_attribute("/", "complete", Index{1});
}

/// The texts are stored with the length of the longest text.
std::uint64_t bytes_of(const Snapshot::Texts& texts) {
  std::size_t longest = 1;
  for (const std::string& text : texts.values) longest = std::max(longest, text.size());
  return texts.values.size() * longest;
}

/// Upper bound of the size of the file: the entries, and HDF5's own structures and partly filled chunks.
std::uint64_t bytes_needed(const Snapshot& snapshot) {
  std::uint64_t entries = 0;
  for (const auto& matrix : snapshot.matrices)
    entries += static_cast<std::uint64_t>(matrix.rows) * static_cast<std::uint64_t>(matrix.columns);
  for (const auto& array : snapshot.arrays) entries += array.values.size();
  for (const auto& texts : snapshot.texts) entries += bytes_of(texts) / sizeof(double) + 1;
  return entries * sizeof(double) + entries / 2 + (std::uint64_t{1} << 18);
}

/// For rank 0. Removes the checkpoints up to `step` that are not to be kept, and the temporary files that
/// killed programs left.
void prune(const std::string& folder, Index step, const KeptCheckpoints& keep) {
  std::error_code ignored;
  std::vector<std::filesystem::path> leftovers;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(".step-", 0) == 0 && name.ends_with(".tmp")) leftovers.push_back(entry.path());
  }
  for (const auto& path : leftovers) std::filesystem::remove(path, ignored);
  if (keep.newest <= 0) return;
  int newer = 0;
  for (const Index old : list_checkpoints(folder)) {
    const bool kept = old == keep.best || (old == 0 && keep.first);
    if (old <= step && ++newer > keep.newest && !kept)
      std::filesystem::remove(checkpoint_path(folder, old), ignored);
  }
}

}  // namespace

std::string write_checkpoint(MPI_Comm comm, const std::string& folder, Index step, const Snapshot& snapshot,
                             const KeptCheckpoints& keep) {
  static const LogEvent event("CheckpointWrite");
  const auto scope = event.begin();
  std::string path = checkpoint_path(folder, step);
  const std::string name = std::filesystem::path(path).filename().string();
  const std::string temporary = folder + "/." + name + ".tmp";
  try {
    const std::uint64_t bytes = bytes_needed(snapshot);
    on_root(comm, [&] { require_space(temporary, bytes); });
    agree(comm, [&] { require_writable(temporary, bytes); });  // fails if ranks do not share the folder
    H5File file = H5File::create(comm, temporary);
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
    const std::filesystem::path best = checkpoint_path(folder, keep.best);
    std::error_code ignored;
    if (keep.best >= 0 && std::filesystem::exists(best, ignored))
      replace_file(folder + "/best", best.filename().string() + "\n");
    prune(folder, step, keep);
  });
  return path;
}

namespace {

/// Number of entries that a rank reads at a time while it verifies.
constexpr Index verify_entries = Index{1} << 23;

/// Number of entries, or the largest Index if the number overflows.
Index entries_of(const std::vector<Index>& dims) {
  Index entries = 1;
  for (const Index d : dims)
    if (d < 0 || __builtin_mul_overflow(entries, d, &entries)) return std::numeric_limits<Index>::max();
  return entries;
}

std::optional<Index> step_of(const std::string& name) {
  const std::string head = "step-";
  const std::string tail = ".h5";
  if (name.rfind(head, 0) != 0 || !name.ends_with(tail)) return {};
  const char* begin = name.data() + head.size();
  const char* end = name.data() + name.size() - tail.size();
  Index step = 0;
  const auto [stop, code] = std::from_chars(begin, end, step);
  if (code != std::errc{} || stop != end || begin == end || step < 0) return {};
  return step;
}

}  // namespace

Checkpoint::Checkpoint(MPI_Comm comm, const std::string& path) : file_(H5File::open(comm, path)) {
  verify();
}

Checkpoint Checkpoint::open_unverified(MPI_Comm comm, const std::string& path) {
  Checkpoint checkpoint(H5File::open(comm, path));
  try {
    checkpoint.verify();
  } catch (const Error& e) {  // every rank throws the same one
    checkpoint.damage_ = e.what();
  }
  return checkpoint;
}

std::uint32_t Checkpoint::checksum_of(const std::string& name, const std::vector<Index>& dims) const {
  int rank = 0;
  int size = 1;
  check_mpi(MPI_Comm_rank(file_.comm(), &rank));
  check_mpi(MPI_Comm_size(file_.comm(), &size));
  const Index entries = entries_of(dims);
  if (entries == 0) return 0;
  const Index row = entries / dims[0];
  const Range mine = block_range(dims[0], size, rank);
  const Index step = std::max<Index>(1, verify_entries / row);
  std::vector<double> buffer;
  std::uint32_t crc = 0;
  const Index longest =
      block_range(dims[0], size, 0).size();  // the same number of collective reads everywhere
  for (Index done = 0; done < longest; done += step) {
    const Range part{std::min(mine.begin + done, mine.end), std::min(mine.begin + done + step, mine.end)};
    agree(file_.comm(), [&] { buffer.resize(static_cast<std::size_t>(part.size() * row)); });
    file_.read_rows(name, part, buffer);
    crc = crc32_of(buffer, crc);
  }
  return combine_crc32(file_.comm(), {crc}, mine.size() * row);
}

void Checkpoint::verify() const {
  static const LogEvent event("CheckpointVerify");
  const auto scope = event.begin();
  const auto require = [&](bool good, const std::string& what) {
    agree(file_.comm(), [&] {
      if (!good) throw bad_input("checkpoint '" + path() + "' " + what);
    });
  };
  require(file_.has_sealed_texts(), "is damaged: its texts do not have their checksum");
  const std::string schema = file_.text_attribute("/", "schema");
  require(schema == checkpoint_schema,
          "has schema '" + schema + "', this program reads '" + checkpoint_schema + "'");
  require(file_.has_attribute("/", "complete"), "is not complete");
  const auto size = static_cast<Index>(file_.size());
  Index claimed = 0;  // bytes of all data sets together: they must not overlap in the file
  Manifest manifest;
  for (const auto& object : file_.objects()) {
    const bool group = file_.is_group(object);
    if (!group) {
      const H5Shape shape = file_.shape(object);
      const bool texts = shape.kind == H5Kind::text && shape.dims.size() == 1;
      const Index bytes = texts ? 1 : sizeof(double);  // of an entry, at least
      claimed += std::min(entries_of(shape.dims), size) * bytes;
      require((shape.kind == H5Kind::real || texts) && !shape.dims.empty() && claimed <= size,
              "claims more data in " + object + " than the file holds");
      const std::uint32_t crc =
          texts ? checksum_of_texts(file_.read_texts(object)) : checksum_of(object, shape.dims);
      require(file_.integer_attribute(object, "crc32") == Index{crc}, "is damaged in data set " + object);
      manifest.add_data_set(object, shape.dims, crc);
    }
    for (const auto& name : file_.attributes(object)) {
      const bool own = group ? object == "/" && (name == "checksum" || name == "complete") : name == "crc32";
      if (!own) manifest.add_attribute(object, name, file_.attribute(object, name));
    }
  }
  require(file_.integer_attribute("/", "checksum") == manifest.checksum(),
          "is damaged: its content does not have its checksum");
}

void Checkpoint::require_dims(const std::string& name, const std::vector<Index>& expected) const {
  const std::vector<Index> actual = dims(name);
  const auto text = [](const std::vector<Index>& list) {
    std::string result;
    for (const Index d : list)
      result += fmt::format("{}{}", result.empty() ? "" : " x ", d < 0 ? "any" : fmt::to_string(d));
    return result;
  };
  agree(file_.comm(), [&] {
    bool same = actual.size() == expected.size();
    for (std::size_t d = 0; same && d < actual.size(); ++d)
      same = expected[d] < 0 || expected[d] == actual[d];
    if (!same)
      throw bad_input("checkpoint '" + path() + "': " + name + " is " + text(actual) + ", needed is " +
                      text(expected));
  });
}

void Checkpoint::read_rows(const std::string& name, Index rows, Index columns, Range part, double* out,
                           Index stride) const {
  require_dims(name, {rows, columns});
  std::vector<double> block;
  agree(file_.comm(), [&] { block.resize(static_cast<std::size_t>(part.size() * columns)); });
  file_.read_rows(name, part.size() > 0 ? part : Range{}, block);
  for (Index i = 0; i < part.size(); ++i) std::copy_n(block.data() + i * columns, columns, out + i * stride);
}

void Checkpoint::read_columns(const std::string& name, Index rows, Index columns, Range part, double* out,
                              Index stride) const {
  require_dims(name, {rows, columns});
  const Index lines = part.size();
  std::vector<double> block;
  agree(file_.comm(), [&] { block.resize(static_cast<std::size_t>(lines * rows)); });
  file_.read_columns(name, lines > 0 ? part : Range{}, block);
  for (Index i = 0; i < lines; ++i)
    for (Index j = 0; j < rows; ++j) out[i * stride + j] = block[static_cast<std::size_t>(j * lines + i)];
}

std::vector<double> Checkpoint::read_array(const std::string& name, const std::vector<Index>& dims) const {
  require_dims(name, dims);
  const std::vector<Index> actual = this->dims(name);
  int rank = 0;
  check_mpi(MPI_Comm_rank(file_.comm(), &rank));
  std::vector<double> values;
  agree(file_.comm(), [&] { values.resize(static_cast<std::size_t>(entries_of(actual))); });
  file_.read_rows(name, {0, rank == 0 ? actual[0] : 0},
                  std::span<double>(values).first(rank == 0 ? values.size() : 0));
  constexpr std::size_t message = std::size_t{1} << 27;  // MPI counts are ints
  for (std::size_t i = 0; i < values.size(); i += message)
    check_mpi(MPI_Bcast(values.data() + i, static_cast<int>(std::min(message, values.size() - i)), MPI_DOUBLE,
                        0, file_.comm()));
  return values;
}

std::vector<std::string> Checkpoint::names(const std::string& group) const {
  std::vector<std::string> found;
  for (const std::string& object : file_.objects())
    if (object.starts_with(group) && !file_.is_group(object)) found.push_back(object.substr(group.size()));
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> Checkpoint::texts(const std::string& name) const {
  if (!has(name)) return {};
  return file_.read_texts(name);
}

bool Checkpoint::has(const std::string& group, const std::string& scalar) const {
  return file_.exists(group) && file_.has_attribute(group, scalar);
}

double Checkpoint::real(const std::string& group, const std::string& name) const {
  return file_.real_attribute(group, name);
}

Index Checkpoint::integer(const std::string& group, const std::string& name) const {
  return file_.integer_attribute(group, name);
}

std::string Checkpoint::text(const std::string& group, const std::string& name) const {
  return file_.text_attribute(group, name);
}

std::vector<std::pair<std::string, std::string>> Checkpoint::config() const {
  std::vector<std::pair<std::string, std::string>> options;
  for (const auto& name : file_.attributes("/config"))
    options.emplace_back(name, text_of(file_.attribute("/config", name)));
  return options;
}

std::string checkpoint_path(const std::string& folder, Index step) {
  return fmt::format("{}/step-{:08}.h5", folder, step);
}

std::vector<Index> list_checkpoints(const std::string& folder) {
  std::vector<Index> steps;
  std::error_code code;
  const std::filesystem::directory_iterator entries(folder, code);
  if (code && code != std::errc::no_such_file_or_directory)
    throw failure("cannot list directory '" + folder + "': " + code.message());
  for (const auto& entry : entries)
    if (const auto step = step_of(entry.path().filename().string())) steps.push_back(*step);
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

FoundCheckpoint find_latest_valid(MPI_Comm comm, const std::string& folder) {
  std::vector<Index> steps;
  on_root(comm, [&] { steps = list_checkpoints(folder); });
  int count = static_cast<int>(steps.size());
  check_mpi(MPI_Bcast(&count, 1, MPI_INT, 0, comm));
  steps.resize(static_cast<std::size_t>(count));
  check_mpi(MPI_Bcast(steps.data(), count, MPI_INT64_T, 0, comm));
  FoundCheckpoint found;
  for (const Index step : steps) {
    const std::string path = checkpoint_path(folder, step);
    try {
      found.checkpoint.emplace(comm, path);
      found.step = step;
      return found;
    } catch (const Error& error) {  // the same on all ranks
      found.skipped.push_back({path, error.what()});
    }
  }
  return found;
}

}  // namespace io
}  // namespace poise
