#include "change_file.hpp"

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace poise::fuzz {
namespace {

constexpr std::size_t most_bytes = 1 << 14;  // of values that are written into one data set

const std::array<hsize_t, 16> lengths{0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      7,
                                      64,
                                      1000,
                                      65536,
                                      hsize_t{1} << 20,
                                      hsize_t{1} << 31,
                                      hsize_t{1} << 32,
                                      hsize_t{1} << 61,
                                      hsize_t{1} << 63,
                                      ~hsize_t{1}};

const std::array<double, 10> values{0.0,  1.0,   -1.0,   2.0, 0.5,
                                    1e18, 1e308, 1e-310, NAN, std::numeric_limits<double>::infinity()};

template <class Table>
auto pick(FuzzedDataProvider& bytes, const Table& table) {
  return table[bytes.ConsumeIntegralInRange<std::size_t>(0, table.size() - 1)];
}

H5Handle owned_type(hid_t id) {
  return {id, H5Tclose};
}

H5Handle text_type(std::size_t length) {
  H5Handle type = owned_type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type.get(), length);
  return type;
}

H5Handle compound_type() {
  H5Handle type = owned_type(H5Tcreate(H5T_COMPOUND, 16));
  H5Tinsert(type.get(), "a", 0, H5T_NATIVE_DOUBLE);
  H5Tinsert(type.get(), "b", 8, H5T_NATIVE_INT64);
  return type;
}

H5Handle odd_integer_type(std::size_t size) {
  H5Handle type = owned_type(H5Tcopy(H5T_STD_I64LE));
  H5Tset_precision(type.get(), 11);
  H5Tset_size(type.get(), size);
  H5Tset_offset(type.get(), 5);
  return type;
}

H5Handle small_float_type() {
  H5Handle type = owned_type(H5Tcopy(H5T_IEEE_F32LE));
  H5Tset_fields(type.get(), 15, 10, 5, 0, 10);
  H5Tset_size(type.get(), 2);
  H5Tset_ebias(type.get(), 15);
  return type;
}

H5Handle pick_type(FuzzedDataProvider& bytes) {
  const auto copy = [](hid_t type) { return owned_type(H5Tcopy(type)); };
  switch (bytes.ConsumeIntegralInRange(0, 19)) {
    case 0:
      return copy(H5T_IEEE_F64LE);
    case 1:
      return copy(H5T_IEEE_F64BE);
    case 2:
      return copy(H5T_IEEE_F32LE);
    case 3:
      return copy(H5T_NATIVE_LDOUBLE);
    case 4:
      return small_float_type();
    case 5:
      return copy(H5T_STD_I64LE);
    case 6:
      return copy(H5T_STD_I64BE);
    case 7:
      return copy(H5T_STD_U64LE);
    case 8:
      return copy(H5T_STD_U8LE);
    case 9:
      return copy(H5T_STD_I16BE);
    case 10:
      return odd_integer_type(bytes.ConsumeIntegralInRange<std::size_t>(3, 3000));
    case 11:
      return text_type(bytes.ConsumeIntegralInRange<std::size_t>(1, 40));
    case 12:
      return text_type(pick(bytes, lengths));
    case 13:
      return text_type(H5T_VARIABLE);
    case 14:
      return owned_type(H5Tvlen_create(H5T_NATIVE_DOUBLE));
    case 15:
      return compound_type();
    case 16:
      return owned_type(H5Tcreate(H5T_OPAQUE, 5));
    case 17:
      return copy(H5T_STD_REF_OBJ);
    case 18:
      return copy(H5T_STD_B16LE);
    default: {
      const std::array<hsize_t, 2> dims{2, 3};
      return owned_type(H5Tarray_create2(H5T_NATIVE_DOUBLE, 2, dims.data()));
    }
  }
}

std::vector<hsize_t> pick_dims(FuzzedDataProvider& bytes) {
  std::vector<hsize_t> dims(bytes.ConsumeIntegralInRange<std::size_t>(0, 4));
  if (dims.size() == 4 && bytes.ConsumeBool()) dims.resize(H5S_MAX_RANK);
  for (auto& d : dims) d = pick(bytes, lengths);
  return dims;
}

H5Handle pick_space(FuzzedDataProvider& bytes, std::vector<hsize_t>& dims) {
  dims = pick_dims(bytes);
  if (dims.empty()) return {H5Screate(bytes.ConsumeBool() ? H5S_SCALAR : H5S_NULL), H5Sclose};
  std::vector<hsize_t> most = dims;
  if (bytes.ConsumeBool()) most[0] = H5S_UNLIMITED;
  return {H5Screate_simple(static_cast<int>(dims.size()), dims.data(), most.data()), H5Sclose};
}

/// Bytes for the entries of a type and space if they are few and of fixed size; otherwise none.
std::vector<std::uint8_t> pick_content(FuzzedDataProvider& bytes, hid_t type, hid_t space) {
  const hssize_t entries = H5Sget_simple_extent_npoints(space);
  const std::size_t size = H5Tget_size(type);
  const H5T_class_t kind = H5Tget_class(type);
  const bool pointers = H5Tis_variable_str(type) > 0 || kind == H5T_VLEN || kind == H5T_REFERENCE;
  if (entries <= 0 || size == 0 || pointers || static_cast<std::size_t>(entries) > most_bytes / size)
    return {};
  std::vector<std::uint8_t> content(static_cast<std::size_t>(entries) * size);
  if (kind == H5T_FLOAT && H5Tequal(type, H5T_NATIVE_DOUBLE) > 0) {
    for (std::size_t i = 0; i < content.size(); i += sizeof(double)) {
      const double value = pick(bytes, values);
      std::copy_n(reinterpret_cast<const std::uint8_t*>(&value), sizeof value, &content[i]);
    }
  } else {
    const auto given = bytes.ConsumeBytes<std::uint8_t>(std::min<std::size_t>(content.size(), 64));
    std::copy(given.begin(), given.end(), content.begin());
  }
  return content;
}

/// Whether HDF5 can write such data: its coders for numbers with fewer bits crash on some data.
bool is_safe_to_write(hid_t creation) {
  const int filters = H5Pget_nfilters(creation);
  for (int i = 0; i < filters; ++i) {
    std::size_t values = 0;
    unsigned flags = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr);
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
      return false;
  }
  return H5Pget_external_count(creation) == 0 && H5Pget_layout(creation) != H5D_VIRTUAL;
}

void pick_filters(FuzzedDataProvider& bytes, hid_t creation) {
  for (int count = bytes.ConsumeIntegralInRange(0, 3); count > 0; --count) {
    switch (bytes.ConsumeIntegralInRange(0, 6)) {
      case 0:
        H5Pset_deflate(creation, 6);
        break;
      case 1:
        H5Pset_shuffle(creation);
        break;
      case 2:
        H5Pset_fletcher32(creation);
        break;
      case 3:
        H5Pset_nbit(creation);
        break;
      case 4:
        H5Pset_scaleoffset(creation, H5Z_SO_INT, 0);
        break;
      case 5:
        H5Pset_szip(creation, H5_SZIP_NN_OPTION_MASK, 8);
        break;
      default:
        H5Pset_filter(creation, 32000, H5Z_FLAG_OPTIONAL, 0, nullptr);
    }
  }
}

void pick_virtual(FuzzedDataProvider& bytes, hid_t creation, hid_t space) {
  const char* file = bytes.ConsumeBool() ? "." : "/dev/zero";
  H5Pset_virtual(creation, space, file, "/features", space);
}

void pick_storage(FuzzedDataProvider& bytes, hid_t creation, hid_t space, const std::vector<hsize_t>& dims) {
  const auto rank = static_cast<int>(dims.size());
  switch (bytes.ConsumeIntegralInRange(0, 7)) {
    case 0:
      H5Pset_layout(creation, H5D_COMPACT);
      break;
    case 1:
      H5Pset_external(creation, "/dev/zero", 0, H5F_UNLIMITED);
      break;
    case 2:
      pick_virtual(bytes, creation, space);
      break;
    case 3:
      break;  // contiguous
    default: {
      std::vector<hsize_t> chunk(dims);
      const bool own = bytes.ConsumeBool();
      for (auto& c : chunk) c = std::max<hsize_t>(1, own ? pick(bytes, lengths) : std::min<hsize_t>(c, 64));
      if (rank > 0) H5Pset_chunk(creation, rank, chunk.data());
      pick_filters(bytes, creation);
    }
  }
}

void put_data_set(hid_t file, const std::string& name, FuzzedDataProvider& bytes) {
  std::vector<hsize_t> dims;
  const H5Handle type = pick_type(bytes);
  const H5Handle space = pick_space(bytes, dims);
  const H5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  const H5Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links.get(), 1);
  if (!type || !space) return;
  pick_storage(bytes, creation.get(), space.get(), dims);
  H5Ldelete(file, name.c_str(), H5P_DEFAULT);
  const H5Handle set(
      H5Dcreate2(file, name.c_str(), type.get(), space.get(), links.get(), creation.get(), H5P_DEFAULT),
      H5Dclose);
  if (!set || !is_safe_to_write(creation.get())) return;
  std::vector<hsize_t> chunk(dims.size());
  if (H5Pget_layout(creation.get()) == H5D_CHUNKED) {  // HDF5 writes whole chunks
    H5Pget_chunk(creation.get(), static_cast<int>(dims.size()), chunk.data());
    double chunk_bytes = static_cast<double>(H5Tget_size(type.get()));
    for (const auto c : chunk) chunk_bytes *= static_cast<double>(c);
    if (chunk_bytes > 1e6) return;
  }
  const auto content = pick_content(bytes, type.get(), space.get());
  if (!content.empty()) H5Dwrite(set.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, content.data());
}

void put_attribute(hid_t file, const std::string& object, const std::string& name,
                   FuzzedDataProvider& bytes) {
  const H5Handle holder(H5Oopen(file, object.c_str(), H5P_DEFAULT), H5Oclose);
  if (!holder) return;
  H5Adelete(holder.get(), name.c_str());
  std::vector<hsize_t> dims;
  const H5Handle type = pick_type(bytes);
  const H5Handle space =
      bytes.ConsumeBool() ? H5Handle(H5Screate(H5S_SCALAR), H5Sclose) : pick_space(bytes, dims);
  if (!type || !space) return;
  // HDF5 keeps attributes in memory as a whole.
  const double entries = static_cast<double>(H5Sget_simple_extent_npoints(space.get()));
  if (entries * static_cast<double>(H5Tget_size(type.get())) > 1e6) return;
  const H5Handle attribute(
      H5Acreate2(holder.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!attribute) return;
  if (H5Tis_variable_str(type.get()) > 0 && H5Sget_simple_extent_npoints(space.get()) == 1) {
    const std::string text = bytes.ConsumeRandomLengthString(100);
    const char* characters = text.c_str();
    H5Awrite(attribute.get(), type.get(), &characters);
  }
  const auto content = pick_content(bytes, type.get(), space.get());
  if (!content.empty()) H5Awrite(attribute.get(), type.get(), content.data());
}

void put_link(hid_t file, const std::string& name, const std::string& target, FuzzedDataProvider& bytes) {
  const H5Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links.get(), 1);
  if (bytes.ConsumeBool()) H5Ldelete(file, name.c_str(), H5P_DEFAULT);
  switch (bytes.ConsumeIntegralInRange(0, 2)) {
    case 0:
      H5Lcreate_soft(target.c_str(), file, name.c_str(), links.get(), H5P_DEFAULT);
      break;
    case 1:
      H5Lcreate_hard(file, target.c_str(), file, name.c_str(), links.get(), H5P_DEFAULT);
      break;
    default:
      H5Lcreate_external("/dev/zero", target.c_str(), file, name.c_str(), links.get(), H5P_DEFAULT);
  }
}

void put_groups(hid_t file, std::string name, FuzzedDataProvider& bytes) {
  const H5Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links.get(), 1);
  const int depth = bytes.ConsumeIntegralInRange(1, 60);
  for (int i = 1; i < depth; ++i) name += "/g";
  const H5Handle group(H5Gcreate2(file, name.c_str(), links.get(), H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
}

}  // namespace

void change_file(H5File& file, FuzzedDataProvider& bytes, const std::vector<std::string>& objects,
                 const std::vector<std::string>& attributes) {
  const auto name = [&](const std::vector<std::string>& names) {
    return bytes.ConsumeIntegralInRange(0, 15) == 0 ? "/" + bytes.ConsumeRandomLengthString(8)
                                                    : pick(bytes, names);
  };
  for (int changes = 0; changes < 32 && bytes.remaining_bytes() > 0; ++changes) {
    const std::string object = name(objects);
    switch (bytes.ConsumeIntegralInRange(0, 9)) {
      case 0:
        H5Ldelete(file.id(), object.c_str(), H5P_DEFAULT);
        break;
      case 1:
        put_link(file.id(), object, name(objects), bytes);
        break;
      case 2:
        put_groups(file.id(), object, bytes);
        break;
      case 3:
        H5Adelete_by_name(file.id(), object.c_str(), pick(bytes, attributes).c_str(), H5P_DEFAULT);
        break;
      case 4:
      case 5:
        put_attribute(file.id(), object, pick(bytes, attributes), bytes);
        break;
      default:
        put_data_set(file.id(), object, bytes);
    }
  }
}

}  // namespace poise::fuzz
