#include <hdf5.h>

#include <algorithm>

#include "poise/base/agree.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
namespace {

/// Longer names are no names, and a damaged header must not make us ask for all memory.
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
        texts.emplace_back(text != nullptr ? text : "");
        if (text != nullptr) H5free_memory(text);
      }
      return;
    }
    const std::size_t size = H5Tget_size(type.get());
    if (size == 0 || size > longest_name)
      throw bad_input(what + "has texts of " + std::to_string(size) + " bytes");
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
    const H5Handle set(checked(H5Dcreate2(file_.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT,
                                          creation.get(), H5P_DEFAULT),
                               "cannot create " + name),
                       H5Dclose);
    // Every rank has the same texts: one writes them, the others take part with nothing.
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

std::vector<double> H5File::numbers_attribute(const std::string& object, const std::string& name) const {
  constexpr hssize_t most = 64;
  std::vector<double> numbers;
  together([&] {
    const H5Handle holder = open_object(object);
    const std::string what = "attribute '" + name + "' of " + object;
    const H5Handle attribute(checked(H5Aopen(holder.get(), name.c_str(), H5P_DEFAULT), "cannot open " + what),
                             H5Aclose);
    const H5Handle space(checked(H5Aget_space(attribute.get()), "cannot read " + what), H5Sclose);
    const H5Handle type(checked(H5Aget_type(attribute.get()), "cannot read " + what), H5Tclose);
    const hssize_t count = H5Sget_simple_extent_npoints(space.get());
    const H5T_class_t kind = H5Tget_class(type.get());
    if (count < 1 || count > most || (kind != H5T_FLOAT && kind != H5T_INTEGER))
      throw bad_input(what + " of file '" + path_ + "' is no number, nor a short list of numbers");
    numbers.resize(static_cast<std::size_t>(count));
    checked(H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, numbers.data()), "cannot read " + what);
  });
  return numbers;
}

}  // namespace poise
