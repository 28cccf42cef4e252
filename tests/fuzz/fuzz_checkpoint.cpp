// Checkpoints: the fuzzer changes a good checkpoint; its checksums are corrected, so that the code behind the
// check is reached.
#include <hdf5.h>

#include <limits>

#include "change_file.hpp"
#include "poise/io/checkpoint.hpp"
#include "poise/io/checksum.hpp"
#include "poise/io/hdf5_untrusted.hpp"
#include "support.hpp"

namespace poise::fuzz {
namespace {

/// A text in place, as older versions wrote it: fuzzed texts of variable length would find HDF5's own faults.
void set_text(const H5File& out, const std::string& object, const std::string& name,
              const std::string& text) {
  const H5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), text.size() + 1);
  const H5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const H5Handle holder(H5Oopen(out.id(), object.c_str(), H5P_DEFAULT), H5Oclose);
  const H5Handle attribute(
      H5Acreate2(holder.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  H5Awrite(attribute.get(), type.get(), text.c_str());
}

void write_checkpoint_content(H5File& out) {
  set_text(out, "/", "schema", checkpoint_schema);
  out.set_attribute("/", "complete", Index{1});
  const std::vector<double> values(12, 0.5);
  out.write_rows("/parameters/A", {4, 3}, {0, 4}, std::span<const double>(values));
  out.write_columns("/parameters/B", 2, 4, {0, 4}, std::span(values).first(8));
  out.write_rows("/features/mean", {3}, {0, 3}, std::span(values).first(3));
  out.set_attribute("/features", "width", Index{4});
  out.create_group("/state");
  out.set_attribute("/state", "step", Index{7});
  out.set_attribute("/state", "t", 0.7);
  out.create_group("/config");
  set_text(out, "/config", "gamma", "0.8");
}

/// HDF5 overflows the stack when it reads a virtual data set that is its own source.
bool is_read_by_readers(const H5File& file, const std::string& name) {
  const H5Handle set(H5Dopen2(file.id(), name.c_str(), H5P_DEFAULT), H5Dclose);
  return set && find_defect(set.get(), std::numeric_limits<std::int32_t>::max()).empty();
}

std::uint32_t checksum_of(const H5File& file, const std::string& name, const H5Shape& shape) {
  Index entries = 1;
  for (const Index d : shape.dims)
    if (__builtin_mul_overflow(entries, d, &entries) || entries > 10000) return 0;
  std::vector<double> values(static_cast<std::size_t>(entries));
  if (entries > 0 && !shape.dims.empty()) file.read_rows(name, {0, shape.dims[0]}, values);
  return crc32_of(values);
}

void correct_checksums(H5File& file) {
  Manifest manifest;
  for (const auto& object : file.objects()) {
    const bool group = file.is_group(object);
    if (!group && is_read_by_readers(file, object)) {
      const H5Shape shape = file.shape(object);
      const std::uint32_t crc = checksum_of(file, object, shape);
      file.set_attribute(object, "crc32", Index{crc});
      manifest.add_data_set(object, shape.dims, crc);
    }
    for (const auto& name : file.attributes(object)) {
      const bool own = group ? object == "/" && (name == "checksum" || name == "complete") : name == "crc32";
      if (!own) manifest.add_attribute(object, name, file.attribute(object, name));
    }
  }
  file.set_attribute("/", "checksum", manifest.checksum());
}

/// Reads a checkpoint as a program that resumes does.
void read_all(const Checkpoint& checkpoint) {
  (void)checkpoint.config();
  (void)checkpoint.integer("/state", "step");
  (void)checkpoint.real("/state", "t");
  const Index width = checkpoint.integer("/features", "width");
  if (width < 1) throw bad_input("a width below 1");  // a negative size would mean any size
  const auto mean = checkpoint.read_array("/features/mean", {-1});
  const auto inputs = static_cast<Index>(mean.size());
  checkpoint.require_dims("/parameters/A", {width, inputs});
  std::vector<double> block(static_cast<std::size_t>(width * inputs));
  checkpoint.read_rows("/parameters/A", width, inputs, {0, width}, block.data(), inputs);
  checkpoint.require_dims("/parameters/B", {2, width});
  std::vector<double> columns(static_cast<std::size_t>(width * 2));
  checkpoint.read_columns("/parameters/B", 2, width, {0, width}, columns.data(), 2);
}

}  // namespace
}  // namespace poise::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace poise;
  FuzzedDataProvider bytes(data, size);
  const bool corrected = bytes.ConsumeIntegralInRange(0, 7) != 7;
  H5File out = H5File::create_in_memory("fuzz");
  fuzz::write_checkpoint_content(out);
  fuzz::change_file(
      out, bytes,
      {"/parameters/A", "/parameters/B", "/features/mean", "/features", "/state", "/config", "/", "/x"},
      {"schema", "complete", "checksum", "crc32", "step", "t", "width", "gamma", "x"});
  try {
    if (corrected) fuzz::correct_checksums(out);
  } catch (const Error&) {  // an object that cannot have a checksum
  }
  const fuzz::File file(out.image());
  fuzz::accepts([&] { fuzz::read_all(Checkpoint(MPI_COMM_SELF, file.path())); });
  fuzz::accepts([&] { fuzz::read_all(Checkpoint::open_unverified(MPI_COMM_SELF, file.path())); });
  return 0;
}
