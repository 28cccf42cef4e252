#include <hdf5.h>
#include <hdf5_hl.h>

#include <algorithm>

#include "poise/io/hdf5.hpp"
#include "poise/io/hdf5_heaps.hpp"

namespace poise {
inline namespace io {
namespace {

/// Limits the memory that a damaged header can make us request.
constexpr std::size_t longest_text = std::size_t{1} << 24;

/// As h5py stores a bool.
H5Handle bool_type() {
  H5Handle type(H5Tenum_create(H5T_NATIVE_INT8), H5Tclose);
  const std::int8_t no = 0, yes = 1;
  H5Tenum_insert(type.get(), "FALSE", &no);
  H5Tenum_insert(type.get(), "TRUE", &yes);
  return type;
}

std::string read_text(hid_t attribute, hid_t type, bool& good) {
  if (H5Tis_variable_str(type) > 0) {
    char* text = nullptr;
    good = H5Aread(attribute, type, &text) >= 0;
    std::string value = good && text != nullptr ? text : "";
    if (text != nullptr) H5free_memory(text);
    return value;
  }
  const std::size_t size = H5Tget_size(type);
  good = size <= longest_text;
  if (!good) return {};
  std::string value(size, '\0');
  good = H5Aread(attribute, type, value.data()) >= 0;
  value.resize(std::min(value.find('\0'), value.size()));
  return value;
}

}  // namespace

std::vector<std::string> H5File::attributes(const std::string& object) const {
  std::vector<std::string> names;
  together([&] {
    const H5Handle holder = open_object(object);
    const auto append = +[](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
      static_cast<std::vector<std::string>*>(out)->emplace_back(name);
      return 0;
    };
    hsize_t position = 0;
    checked(H5Aiterate2(holder.get(), H5_INDEX_NAME, H5_ITER_NATIVE, &position, append, &names),
            "cannot list the attributes of " + object);
  });
  if (object == "/") std::erase(names, heaps_attribute);  // H5File's own
  std::sort(names.begin(), names.end());
  return names;
}

bool H5File::has_attribute(const std::string& object, const std::string& name) const {
  bool found = false;
  together([&] {
    const H5Handle holder = open_object(object);
    found = checked(H5Aexists(holder.get(), name.c_str()), "cannot look for attribute " + name) > 0;
  });
  return found;
}

H5Value H5File::read_value(std::int64_t attribute, const std::string& what) const {
  const H5Handle space(checked(H5Aget_space(attribute), "cannot read " + what), H5Sclose);
  const H5Handle type(checked(H5Aget_type(attribute), "cannot read " + what), H5Tclose);
  if (H5Sget_simple_extent_npoints(space.get()) != 1)
    throw bad_input(what + " of file '" + path_ + "' is not a scalar");
  const H5T_class_t kind = H5Tget_class(type.get());
  if (kind == H5T_FLOAT) {
    double value = 0.0;
    checked(H5Aread(attribute, H5T_NATIVE_DOUBLE, &value), "cannot read " + what);
    return value;
  }
  if (kind == H5T_INTEGER) {
    Index value = 0;
    checked(H5Aread(attribute, H5T_NATIVE_INT64, &value), "cannot read " + what);
    return value;
  }
  if (kind == H5T_ENUM && H5Tequal(type.get(), bool_type().get()) > 0) {
    std::int8_t value = 0;
    checked(H5Aread(attribute, type.get(), &value), "cannot read " + what);
    return value != 0;
  }
  if (kind != H5T_STRING) throw bad_input(what + " of file '" + path_ + "' is neither a number nor a text");
  bool good = true;
  std::string value = read_text(attribute, type.get(), good);
  if (!good) throw error("cannot read " + what);
  return value;
}

H5Value H5File::attribute(const std::string& object, const std::string& name) const {
  H5Value value;
  together([&] {
    const H5Handle holder = open_object(object);
    const std::string what = "attribute '" + name + "' of " + object;
    if (checked(H5Aexists(holder.get(), name.c_str()), "cannot look for " + what) == 0)
      throw bad_input(what + " is missing in file '" + path_ + "'");
    const H5Handle opened(checked(H5Aopen(holder.get(), name.c_str(), H5P_DEFAULT), "cannot open " + what),
                          H5Aclose);
    value = read_value(opened.get(), what);
  });
  return value;
}

template <class Value>
Value H5File::typed_attribute(const std::string& object, const std::string& name, const char* type) const {
  H5Value value = attribute(object, name);
  if constexpr (std::is_same_v<Value, double>)
    if (const auto* integer = std::get_if<Index>(&value)) value = static_cast<double>(*integer);
  together([&] {
    if (!std::holds_alternative<Value>(value))
      throw bad_input("attribute '" + name + "' of " + object + " of file '" + path_ + "' is no " + type);
  });
  return std::get<Value>(value);
}

double H5File::real_attribute(const std::string& object, const std::string& name) const {
  return typed_attribute<double>(object, name, "number");
}

Index H5File::integer_attribute(const std::string& object, const std::string& name) const {
  return typed_attribute<Index>(object, name, "integer");
}

std::string H5File::text_attribute(const std::string& object, const std::string& name) const {
  return typed_attribute<std::string>(object, name, "text");
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

void H5File::write_value(std::int64_t object, const std::string& name, const H5Value& value) {
  const void* data = nullptr;
  const char* characters = nullptr;
  std::int8_t flag = 0;
  H5Handle type;
  if (const auto* text = std::get_if<std::string>(&value)) {
    type = H5Handle(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type.get(), H5T_VARIABLE);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    characters = text->c_str();
    data = &characters;
  } else if (const auto* real = std::get_if<double>(&value)) {
    type = H5Handle(H5Tcopy(H5T_NATIVE_DOUBLE), H5Tclose);
    data = real;
  } else if (const auto* integer = std::get_if<Index>(&value)) {
    type = H5Handle(H5Tcopy(H5T_NATIVE_INT64), H5Tclose);
    data = integer;
  } else {
    type = bool_type();
    flag = std::get<bool>(value) ? 1 : 0;
    data = &flag;
  }
  const H5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const hid_t id = H5Acreate2(object, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT);
  const H5Handle attribute(checked(id, "cannot create attribute " + name), H5Aclose);
  checked(H5Awrite(attribute.get(), type.get(), data), "cannot write attribute " + name);
}

void H5File::set_attribute(const std::string& object, const std::string& name, const H5Value& value) {
  together([&] {
    const H5Handle holder = open_object(object);
    if (checked(H5Aexists(holder.get(), name.c_str()), "cannot look for attribute " + name) > 0)
      checked(H5Adelete(holder.get(), name.c_str()), "cannot replace attribute " + name);
    write_value(holder.get(), name, value);
  });
}

void H5File::set_dimensions(const std::string& data_set, const std::vector<std::string>& scales) {
  together([&] {
    const H5Handle set = open_data_set(data_set);
    for (std::size_t axis = 0; axis < scales.size(); ++axis) {
      const H5Handle scale = open_data_set(scales[axis]);
      const std::string name = scales[axis].substr(scales[axis].rfind('/') + 1);
      if (checked(H5DSis_scale(scale.get()), "cannot look at " + scales[axis]) == 0)
        checked(H5DSset_scale(scale.get(), name.c_str()), "cannot make a dimension scale of " + scales[axis]);
      if (scales[axis] != data_set)
        checked(H5DSattach_scale(set.get(), scale.get(), static_cast<unsigned>(axis)),
                "cannot attach " + scales[axis] + " to " + data_set);
    }
  });
}

}  // namespace io
}  // namespace poise
