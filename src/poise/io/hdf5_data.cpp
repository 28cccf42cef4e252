#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
inline namespace io {
namespace {

/// Number of entries per transfer of a rank: MPI counts are ints, and MPI-IO libraries fail near 2 GiB.
constexpr Index transfer_entries = Index{1} << 26;
/// Every computer unpacks at least so many bytes per second.
constexpr std::size_t bytes_a_second = 1'000'000;
/// Number of entries of a chunk: 1 MiB of doubles.
constexpr Index chunk_entries = Index{1} << 17;

hid_t memory_type(H5Kind kind) {
  if (kind == H5Kind::byte) return H5T_NATIVE_UINT8;
  return kind == H5Kind::integer ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE;
}

std::string dims_text(const std::vector<Index>& dims) {
  std::string text = "[";
  for (const Index d : dims) text += fmt::format("{}{}", text.size() > 1 ? ", " : "", d);
  return text + "]";
}

/// The part `range` along `axis` of an array of shape `dims`, and everything along the other dimensions.
struct Slab {
  const std::vector<Index>& dims;
  std::size_t axis;
  Range range;

  /// Number of entries per index of `axis`.
  [[nodiscard]] Index layer() const {
    Index entries = 1;
    for (std::size_t d = 0; d < dims.size(); ++d)
      if (d != axis) entries *= dims[d];
    return entries;
  }
  [[nodiscard]] Index step() const {
    return std::max<Index>(1, transfer_entries / std::max<Index>(1, layer()));
  }
  [[nodiscard]] Index steps() const { return (range.size() + step() - 1) / step(); }
  [[nodiscard]] Range part(Index s) const {
    return {std::min(range.begin + s * step(), range.end),
            std::min(range.begin + (s + 1) * step(), range.end)};
  }
  /// Selects `part` in an array that holds the indices `held` of the axis.
  [[nodiscard]] H5Handle select(Range part, Range held) const {
    std::vector<hsize_t> extent(dims.begin(), dims.end());
    extent[axis] = static_cast<hsize_t>(held.size());
    H5Handle space(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose);
    std::vector<hsize_t> start(extent.size(), 0);
    start[axis] = static_cast<hsize_t>(part.begin - held.begin);
    extent[axis] = static_cast<hsize_t>(part.size());
    if (part.size() == 0 || layer() == 0)
      H5Sselect_none(space.get());
    else
      H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr);
    return space;
  }
};

/// Chunks of at most 1 MiB, cut along `axis` first: `axis` is distributed, so few chunks are shared by ranks.
std::vector<hsize_t> chunk_dims(const std::vector<Index>& dims, std::size_t axis) {
  std::vector<hsize_t> chunk(dims.size(), 1);
  Index left = chunk_entries;
  const auto take = [&](std::size_t d) {
    const Index most = std::clamp<Index>(left, 1, std::max<Index>(1, dims[d]));
    const Index pieces = std::max<Index>(1, (dims[d] + most - 1) / most);
    const Index length =
        std::max<Index>(1, (dims[d] + pieces - 1) / pieces);  // so that the last is full, too
    chunk[d] = static_cast<hsize_t>(length);
    left /= length;
  };
  for (std::size_t d = dims.size(); d-- > 0;)
    if (d != axis) take(d);
  take(axis);
  return chunk;
}

/// Whether the type is the enumeration FALSE = 0, TRUE = 1, in which h5py and PyTables store truth values.
bool holds_truth(hid_t type) {
  if (H5Tget_class(type) != H5T_ENUM || H5Tget_size(type) != 1 || H5Tget_nmembers(type) != 2) return false;
  for (unsigned k = 0; k < 2; ++k) {
    const std::unique_ptr<char, herr_t (*)(void*)> name(H5Tget_member_name(type, k), H5free_memory);
    signed char value = -1;
    if (name == nullptr || H5Tget_member_value(type, k, &value) < 0) return false;
    if (value != (std::string(name.get()) == "TRUE" ? 1 : 0)) return false;
  }
  return true;
}

}  // namespace

H5Shape H5File::shape_of(std::int64_t data_set, const std::string& name) const {
  const H5Handle space(checked(H5Dget_space(data_set), "cannot read the shape of " + name), H5Sclose);
  const H5Handle type(checked(H5Dget_type(data_set), "cannot read the type of " + name), H5Tclose);
  const int rank = checked(H5Sget_simple_extent_ndims(space.get()), "cannot read the shape of " + name);
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  checked(H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr), "cannot read the shape of " + name);
  H5Shape shape;
  shape.dims.assign(dims.begin(), dims.end());
  const H5T_class_t kind = H5Tget_class(type.get());
  if (kind == H5T_FLOAT) shape.kind = H5Kind::real;
  if (kind == H5T_INTEGER) shape.kind = H5Kind::integer;
  if (kind == H5T_STRING) shape.kind = H5Kind::text;
  if (holds_truth(type.get())) {
    shape.kind = H5Kind::integer;
    shape.type = "bool";
  }
  const std::size_t bits = 8 * H5Tget_size(type.get());
  if (kind == H5T_FLOAT) shape.type = fmt::format("float{}", bits);
  if (kind == H5T_INTEGER)
    shape.type = fmt::format("{}{}", H5Tget_sign(type.get()) == H5T_SGN_NONE ? "uint" : "int", bits);
  return shape;
}

H5Shape H5File::shape(const std::string& name) const {
  H5Shape shape;
  together([&] { shape = shape_of(open_data_set(name).get(), name); });
  return shape;
}

void H5File::read_block(const std::string& name, std::size_t axis, Range range, H5Kind kind, void* out,
                        std::size_t entries) const {
  const auto seconds = static_cast<int>(30 + entries * sizeof(double) / bytes_a_second);
  const auto read = [&] {
    const H5Handle set = open_data_set(name);
    const H5Shape shape = shape_of(set.get(), name);
    const std::string what = "data set " + name + " " + dims_text(shape.dims) + " of file '" + path_ + "' ";
    if (shape.kind != H5Kind::integer && shape.kind != kind)
      throw bad_input(what + "does not hold " + (kind == H5Kind::integer ? "integers" : "numbers"));
    if (axis >= shape.dims.size()) throw bad_input(what + "has too few dimensions");
    if (range.begin < 0 || range.end < range.begin || range.end > shape.dims[axis])
      throw bad_input(fmt::format("{}has no part [{}, {})", what, range.begin, range.end));
    const Slab slab{shape.dims, axis, range};
    if (static_cast<std::size_t>(range.size() * slab.layer()) != entries)
      throw bad_input(what + "does not have the expected shape");
    // Independent transfers: HDF5 reads filtered chunks one by one even in a collective transfer, and a rank
    // that meets a damaged chunk must not leave the others waiting inside a collective call.
    for (Index s = 0; s < slab.steps(); ++s) {
      const H5Handle in_file = slab.select(slab.part(s), {0, shape.dims[axis]});
      const H5Handle in_memory = slab.select(slab.part(s), range);
      checked(H5Dread(set.get(), memory_type(kind), in_memory.get(), in_file.get(), H5P_DEFAULT, out),
              "cannot read data set " + name);
    }
  };
  together(read, seconds);
}

H5Handle H5File::create_data_set(const std::string& name, const std::vector<Index>& dims, std::size_t axis,
                                 H5Kind kind, int deflate) {
  const H5Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  const H5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links.get(), 1);
  const auto rank = static_cast<int>(dims.size());
  if (std::find(dims.begin(), dims.end(), 0) == dims.end()) {  // HDF5 allows no chunks for an empty set
    checked(H5Pset_chunk(creation.get(), rank, chunk_dims(dims, axis).data()), "cannot chunk " + name);
    if (deflate > 0) {
      checked(H5Pset_shuffle(creation.get()), "cannot shuffle " + name);
      checked(H5Pset_deflate(creation.get(), static_cast<unsigned>(deflate)), "cannot deflate " + name);
    }
    checked(H5Pset_fletcher32(creation.get()), "cannot add checksums to " + name);
  }
  const std::vector<hsize_t> extent(dims.begin(), dims.end());
  const H5Handle space(checked(H5Screate_simple(rank, extent.data(), nullptr), "bad shape of " + name),
                       H5Sclose);
  const hid_t id = H5Dcreate2(file_.get(), name.c_str(), memory_type(kind), space.get(), links.get(),
                              creation.get(), H5P_DEFAULT);
  return {checked(id, "cannot create data set " + name), H5Dclose};
}

void H5File::transfer_block(std::int64_t data_set, const std::string& name, const std::vector<Index>& dims,
                            std::size_t axis, Range range, H5Kind kind, const void* data,
                            std::size_t entries) {
  const Slab slab{dims, axis, range};
  agree(comm_, [&] {
    const bool inside = 0 <= range.begin && range.begin <= range.end && range.end <= dims.at(axis);
    if (!inside || static_cast<std::size_t>(range.size() * slab.layer()) != entries)
      throw failure("data set " + name + " " + dims_text(dims) + " was given a wrong part or length");
  });
  Index steps = slab.steps();
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &steps, 1, MPI_INT64_T, MPI_MAX, comm_));
  const H5Handle transfer(H5Pcreate(H5P_DATASET_XFER), H5Pclose);
  if (parallel_) H5Pset_dxpl_mpio(transfer.get(), H5FD_MPIO_COLLECTIVE);  // filters require it
  for (Index s = 0; s < steps; ++s) {
    together([&] {
      const H5Handle in_file = slab.select(slab.part(s), {0, dims[axis]});
      const H5Handle in_memory = slab.select(slab.part(s), range);
      checked(H5Dwrite(data_set, memory_type(kind), in_memory.get(), in_file.get(), transfer.get(), data),
              "cannot write data set " + name);
    });
  }
}

void H5File::write_block(const std::string& name, const std::vector<Index>& dims, std::size_t axis,
                         Range range, H5Kind kind, const void* data, std::size_t entries, int deflate) {
  H5Handle set;
  together([&] { set = create_data_set(name, dims, axis, kind, deflate); });
  transfer_block(set.get(), name, dims, axis, range, kind, data, entries);
}

void H5File::create_rows(const std::string& name, const std::vector<Index>& dims, H5Kind kind, int deflate) {
  together([&] { (void)create_data_set(name, dims, 0, kind, deflate); });
}

void H5File::fill_block(const std::string& name, Range rows, H5Kind kind, const void* data,
                        std::size_t entries) {
  H5Handle set;
  H5Shape shape;
  together([&] {
    set = open_data_set(name);
    shape = shape_of(set.get(), name);
  });
  transfer_block(set.get(), name, shape.dims, 0, rows, kind, data, entries);
}

void H5File::read_rows(const std::string& name, Range rows, std::span<double> out) const {
  read_block(name, 0, rows, H5Kind::real, out.data(), out.size());
}

void H5File::read_rows(const std::string& name, Range rows, std::span<Index> out) const {
  read_block(name, 0, rows, H5Kind::integer, out.data(), out.size());
}

void H5File::read_columns(const std::string& name, Range columns, std::span<double> out) const {
  read_block(name, 1, columns, H5Kind::real, out.data(), out.size());
}

void H5File::write_rows(const std::string& name, const std::vector<Index>& dims, Range rows,
                        std::span<const double> data, int deflate) {
  write_block(name, dims, 0, rows, H5Kind::real, data.data(), data.size(), deflate);
}

void H5File::write_rows(const std::string& name, const std::vector<Index>& dims, Range rows,
                        std::span<const Index> data, int deflate) {
  write_block(name, dims, 0, rows, H5Kind::integer, data.data(), data.size(), deflate);
}

void H5File::fill_rows(const std::string& name, Range rows, std::span<const double> data) {
  fill_block(name, rows, H5Kind::real, data.data(), data.size());
}

void H5File::fill_rows(const std::string& name, Range rows, std::span<const Index> data) {
  fill_block(name, rows, H5Kind::integer, data.data(), data.size());
}

void H5File::fill_rows(const std::string& name, Range rows, std::span<const std::uint8_t> data) {
  fill_block(name, rows, H5Kind::byte, data.data(), data.size());
}

void H5File::write_columns(const std::string& name, Index rows, Index columns, Range mine,
                           std::span<const double> data) {
  write_block(name, {rows, columns}, 1, mine, H5Kind::real, data.data(), data.size(), 0);
}

void H5File::write_columns(const std::string& name, Index rows, Index columns, Range mine,
                           std::span<const std::uint8_t> data, int deflate) {
  write_block(name, {rows, columns}, 1, mine, H5Kind::byte, data.data(), data.size(), deflate);
}

namespace {

/// Longer texts are not names; this limits the memory that a damaged header can make us request.
constexpr std::size_t longest_name = 4096;

std::string up_to_end(const char* text, std::size_t size) {
  std::string value(text, size);
  value.resize(std::min(value.find('\0'), value.size()));
  while (value.ends_with(' ')) value.pop_back();  // Fortran pads with blanks
  return value;
}

}  // namespace

std::vector<std::string> H5File::read_texts(const std::string& name) const {
  std::vector<std::string> texts;
  together([&] {
    const H5Handle set = open_data_set(name);
    const H5Shape shape = shape_of(set.get(), name);
    const std::string what = "data set " + name + " of file '" + path_ + "' ";
    if (shape.kind != H5Kind::text || shape.dims.size() != 1)
      throw bad_input(what + "is not a list of texts");
    const H5Handle type(checked(H5Dget_type(set.get()), "cannot read the type of " + name), H5Tclose);
    const auto count = static_cast<std::size_t>(shape.dims[0]);
    if (count == 0) return;
    if (H5Tis_variable_str(type.get()) > 0) {
      std::vector<char*> pointers(count, nullptr);
      checked(H5Dread(set.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()),
              "cannot read " + name);
      for (char* text : pointers) {
        texts.push_back(text != nullptr ? up_to_end(text, std::strlen(text)) : "");
        if (text != nullptr) H5free_memory(text);
      }
      for (const std::string& text : texts)
        if (text.size() > longest_name)
          throw bad_input(fmt::format("{}has texts of {} bytes", what, text.size()));
      return;
    }
    const std::size_t size = H5Tget_size(type.get());
    if (size == 0 || size > longest_name) throw bad_input(fmt::format("{}has texts of {} bytes", what, size));
    std::vector<char> bytes(count * size);
    checked(H5Dread(set.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()),
            "cannot read " + name);
    for (std::size_t k = 0; k < count; ++k) texts.push_back(up_to_end(bytes.data() + k * size, size));
  });
  return texts;
}

void H5File::write_texts(const std::string& name, const std::vector<std::string>& texts) {
  std::size_t size = 1;
  for (const std::string& text : texts) size = std::max(size, text.size());
  std::vector<char> bytes(texts.size() * size, '\0');
  for (std::size_t k = 0; k < texts.size(); ++k)
    std::copy(texts[k].begin(), texts[k].end(), bytes.begin() + static_cast<std::ptrdiff_t>(k * size));
  together([&] {
    const H5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type.get(), size);
    H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    const hsize_t length = texts.size();
    const H5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    checked(H5Pset_chunk(creation.get(), 1, &length), "cannot chunk " + name);
    checked(H5Pset_fletcher32(creation.get()), "cannot add checksums to " + name);
    const H5Handle space(checked(H5Screate_simple(1, &length, nullptr), "bad shape of " + name), H5Sclose);
    const H5Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
    H5Pset_create_intermediate_group(links.get(), 1);
    const H5Handle set(checked(H5Dcreate2(file_.get(), name.c_str(), type.get(), space.get(), links.get(),
                                          creation.get(), H5P_DEFAULT),
                               "cannot create " + name),
                       H5Dclose);
    // Every rank has the same texts: rank 0 writes them, the others take part with an empty selection.
    int rank = 0;
    if (parallel_) MPI_Comm_rank(comm_, &rank);
    const H5Handle all(H5Dget_space(set.get()), H5Sclose), memory(H5Scopy(space.get()), H5Sclose);
    if (rank != 0) H5Sselect_none(all.get()), H5Sselect_none(memory.get());
    const H5Handle transfer(H5Pcreate(H5P_DATASET_XFER), H5Pclose);
    if (parallel_) H5Pset_dxpl_mpio(transfer.get(), H5FD_MPIO_COLLECTIVE);
    checked(H5Dwrite(set.get(), type.get(), memory.get(), all.get(), transfer.get(), bytes.data()),
            "cannot write " + name);
  });
}

}  // namespace io
}  // namespace poise
