#include "poise/io/dataset_writer.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/error.hpp"
#include "poise/io/durable.hpp"
#include "poise/io/hdf5.hpp"
#include "poise/io/temporary_file.hpp"

namespace poise {
inline namespace io {
namespace {

constexpr int byte_compression = 6;  // images shrink to a fifth; floating-point numbers hardly shrink

H5File create_for(MPI_Comm comm, const std::string& path) {
  int size = 1;
  check_mpi(MPI_Comm_size(comm, &size));
  return size == 1 ? H5File::create_alone(path) : H5File::create(comm, path);
}

/// For one rank. Finds a full disk before a collective write fails on some ranks only.
void require_room(const DatasetInfo& info, const std::string& temporary) {
  const Index values =
      (info.samples + info.validation_samples + info.test_samples) * (info.inputs + info.outputs);
  if (info.feature_type == "uint8") return;  // deflated, so of unknown size
  require_space(temporary, sizeof(double) * static_cast<std::uint64_t>(values));
}

}  // namespace

struct DatasetWriter::State {
  State(MPI_Comm comm, const DatasetInfo& info) : temporary(comm, info.path), file(create(comm, info)) {}
  [[nodiscard]] H5File create(MPI_Comm comm, const DatasetInfo& info) const {
    on_root(comm, [&] { require_room(info, temporary.name()); });
    return create_for(comm, temporary.name());
  }

  TemporaryFile temporary;
  H5File file;
};

DatasetWriter::DatasetWriter(MPI_Comm comm, DatasetInfo info, std::string schema)
    : comm_(comm),
      info_(std::move(info)),
      schema_(std::move(schema)),
      state_(std::make_unique<State>(comm, info_)) {
  H5File& file = state_->file;
  file.set_attribute("/", "schema", schema_);
  for (const auto& [name, text] : {std::pair("name", &info_.name), std::pair("source", &info_.source),
                                   std::pair("license", &info_.license)})
    if (!text->empty()) file.set_attribute("/", name, *text);
  write_names("/input_names", info_.input_names, "input");
  write_names("/target_names", info_.target_names, "target");
  write_names("/class_names", info_.class_names, "class");
  create_sets(info_.samples, "/");
  if (info_.validation_samples > 0) create_sets(info_.validation_samples, "/validation_");
  if (info_.test_samples > 0) create_sets(info_.test_samples, "/test_");
}

DatasetWriter::~DatasetWriter() = default;

void DatasetWriter::write_names(const std::string& name, const std::vector<std::string>& names,
                                const std::string& axis) {
  if (names.empty()) return;
  state_->file.write_texts(name, names);
  state_->file.set_attribute(name, axes_attribute, axis);
}

void DatasetWriter::create_sets(Index rows, const std::string& prefix) {
  H5File& file = state_->file;
  const std::string sample = schema_ == graph_schema
                                 ? "node"
                                 : prefix.substr(1) + "sample";  // the prefix is /, /validation_ or /test_
  const bool bytes = info_.feature_type == "uint8";
  file.create_rows(prefix + "features", {rows, info_.inputs}, bytes ? H5Kind::byte : H5Kind::real,
                   bytes ? byte_compression : 0);
  file.set_attribute(prefix + "features", axes_attribute, sample + " input");
  if (info_.scale_factor != 1.0) file.set_attribute(prefix + "features", "scale_factor", info_.scale_factor);
  if (!info_.has_answers) return;
  if (info_.classification) {
    file.create_rows(prefix + "labels", {rows}, H5Kind::integer, byte_compression);
    file.set_attribute(prefix + "labels", axes_attribute, sample);
    file.set_attribute(prefix + "labels", "classes", info_.outputs);
    for (const double missing : info_.answers_packing.missing)
      file.set_attribute(prefix + "labels", "_FillValue", static_cast<Index>(missing));
  } else {
    file.create_rows(prefix + "targets", {rows, info_.outputs}, H5Kind::real);
    file.set_attribute(prefix + "targets", axes_attribute, sample + " target");
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
  if (!info_.has_answers) return;
  if (info_.classification) {
    file.fill_rows(prefix + "labels", rows, std::span(block.labels));
  } else {
    file.fill_rows(prefix + "targets", rows, std::span(block.targets));
  }
}

void DatasetWriter::write_matrix(const std::string& name, Index rows, Index columns,
                                 const std::vector<double>& values, const std::string& axes) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm_, &rank));
  const Range mine{0, rank == 0 ? rows : 0};
  const std::span<const double> own(values.data(), static_cast<std::size_t>(mine.size() * columns));
  state_->file.write_rows("/" + name, {rows, columns}, mine, own);
  state_->file.set_attribute("/" + name, axes_attribute, axes);
}

H5File& DatasetWriter::file() {
  return state_->file;
}

void DatasetWriter::commit() {
  state_->file.close();
  state_->temporary.commit();
  state_.reset();
}

DatasetInfo write_dataset(const std::string& path, const DatasetContent& content) {
  DatasetInfo info;
  info.path = path;
  info.name = content.name;
  info.source = content.source;
  info.license = content.license;
  info.samples = content.train.count;
  info.validation_samples = content.validation.count;
  info.test_samples = content.test.count;
  info.inputs = content.train.inputs;
  info.outputs = content.train.outputs;
  info.input_names = content.input_names;
  info.target_names = content.target_names;
  info.class_names = content.class_names;
  info.classification = !content.train.labels.empty();
  info.has_answers = info.outputs > 0;
  const auto is_byte = [](double x) { return x >= 0 && x <= 255 && std::floor(x) == x; };
  const auto all_bytes = [&](const SampleBlock& block) {
    return std::all_of(block.features.begin(), block.features.end(), is_byte);
  };
  const bool bytes = all_bytes(content.train) && all_bytes(content.validation) && all_bytes(content.test);
  info.feature_type = bytes ? "uint8" : "float64";
  DatasetWriter writer(MPI_COMM_SELF, info);
  writer.write_train(content.train);
  if (content.validation.count > 0) writer.write_validation(content.validation);
  if (content.test.count > 0) writer.write_test(content.test);
  writer.commit();
  return info;
}

}  // namespace io
}  // namespace poise
