#include "poise/io/dataset_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
namespace {

constexpr int byte_compression = 6;  // images shrink to a fifth; reals hardly shrink at all

H5File create_for(MPI_Comm comm, const std::string& path) {
  int size = 1;
  check_mpi(MPI_Comm_size(comm, &size));
  return size == 1 ? H5File::create_alone(path) : H5File::create(comm, path);
}

void sync_to_disk(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool good = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int code = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!good) throw failure("cannot write '" + path + "' to disk: " + std::strerror(code));
}

}  // namespace

struct DatasetWriter::State {
  std::string temporary;
  H5File file;
};

DatasetWriter::DatasetWriter(MPI_Comm comm, DatasetInfo info) : comm_(comm), info_(std::move(info)) {
  const std::string temporary = info_.path + ".tmp";
  state_ = std::make_unique<State>(State{temporary, create_for(comm, temporary)});
  H5File& file = state_->file;
  file.set_attribute("/", "schema", std::string(data_schema));
  for (const auto& [name, text] : {std::pair("name", &info_.name), std::pair("source", &info_.source),
                                   std::pair("license", &info_.license)})
    if (!text->empty()) file.set_attribute("/", name, *text);
  create_sets(info_.samples, "/");
  if (info_.test_samples > 0) create_sets(info_.test_samples, "/test_");
}

DatasetWriter::~DatasetWriter() {
  if (!state_) return;
  const std::string temporary = state_->temporary;
  state_.reset();  // closes the file, on all ranks
  int rank = 0;
  MPI_Comm_rank(comm_, &rank);
  if (rank == 0) (void)std::remove(temporary.c_str());
}

void DatasetWriter::create_sets(Index rows, const std::string& prefix) {
  H5File& file = state_->file;
  const bool bytes = info_.feature_type == "uint8";
  file.create_rows(prefix + "features", {rows, info_.inputs}, bytes ? H5Kind::byte : H5Kind::real,
                   bytes ? byte_compression : 0);
  if (info_.scale_factor != 1.0) file.set_attribute(prefix + "features", "scale_factor", info_.scale_factor);
  if (info_.classification) {
    file.create_rows(prefix + "labels", {rows}, H5Kind::integer, byte_compression);
    file.set_attribute(prefix + "labels", "classes", info_.outputs);
  } else {
    file.create_rows(prefix + "targets", {rows, info_.outputs}, H5Kind::real);
  }
}

void DatasetWriter::write(const SampleBlock& block, const std::string& prefix) {
  H5File& file = state_->file;
  const Range rows{block.begin, block.begin + block.count};
  if (info_.feature_type == "uint8") {
    const std::vector<std::uint8_t> bytes(block.features.begin(), block.features.end());
    file.fill_rows(prefix + "features", rows, std::span(bytes));
  } else {
    file.fill_rows(prefix + "features", rows, std::span(block.features));
  }
  if (info_.classification) {
    file.fill_rows(prefix + "labels", rows, std::span(block.labels));
  } else {
    file.fill_rows(prefix + "targets", rows, std::span(block.targets));
  }
}

void DatasetWriter::write_matrix(const std::string& name, Index rows, Index columns,
                                 const std::vector<double>& values) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm_, &rank));
  const Range mine{0, rank == 0 ? rows : 0};
  const std::span<const double> own(values.data(), static_cast<std::size_t>(mine.size() * columns));
  state_->file.write_rows("/" + name, {rows, columns}, mine, own);
}

void DatasetWriter::commit() {
  const std::string temporary = state_->temporary;
  state_->file.close();
  agree(comm_, [&] { sync_to_disk(temporary); });
  on_root(comm_, [&] {
    std::filesystem::rename(temporary, info_.path);
    const std::string folder = std::filesystem::path(info_.path).parent_path().string();
    sync_to_disk(folder.empty() ? "." : folder);
  });
  state_.reset();
}

DatasetInfo write_dataset(const std::string& path, const DatasetContent& content) {
  DatasetInfo info;
  info.path = path;
  info.name = content.name;
  info.source = content.source;
  info.license = content.license;
  info.samples = content.train.count;
  info.test_samples = content.test.count;
  info.inputs = content.train.inputs;
  info.outputs = content.train.outputs;
  info.classification = !content.train.labels.empty();
  const auto is_byte = [](double x) { return x >= 0 && x <= 255 && std::floor(x) == x; };
  const auto all_bytes = [&](const SampleBlock& block) {
    return std::all_of(block.features.begin(), block.features.end(), is_byte);
  };
  info.feature_type = all_bytes(content.train) && all_bytes(content.test) ? "uint8" : "float64";
  DatasetWriter writer(MPI_COMM_SELF, info);
  writer.write_train(content.train);
  if (content.test.count > 0) writer.write_test(content.test);
  writer.commit();
  return info;
}

}  // namespace poise
