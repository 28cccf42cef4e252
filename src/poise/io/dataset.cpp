#include "poise/io/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "poise/base/agree.hpp"
#include "poise/base/check.hpp"
#include "poise/base/log_event.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/io/dataset_header.hpp"
#include "poise/io/hdf5.hpp"

namespace poise {
namespace {

int size_of(MPI_Comm comm) {
  int size = 1;
  check_mpi(MPI_Comm_size(comm, &size));
  return size;
}

H5File open_for(MPI_Comm comm, const std::string& path) {
  return size_of(comm) == 1 ? H5File::open_alone(path) : H5File::open(comm, path);
}

/// The first thing wrong with the values this rank has read.
struct Defect {
  static constexpr Index none = std::numeric_limits<Index>::max();
  Index row = none;
  std::string message;
};

/// Collective. Throws the defect of the lowest row over all ranks, on every rank.
void throw_first(MPI_Comm comm, const Defect& defect) {
  Index row = defect.row;
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &row, 1, MPI_INT64_T, MPI_MIN, comm));
  if (row == Defect::none) return;
  int owner = 0;
  check_mpi(MPI_Comm_rank(comm, &owner));
  if (defect.row != row) owner = size_of(comm);
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &owner, 1, MPI_INT, MPI_MIN, comm));
  const std::string message = broadcast(comm, defect.message, owner);
  agree(comm, [&] { throw bad_input(message); });  // rank 0 has it too, so no rank is named: rows are enough
}

/// The first stored number that stands for none.
Defect find_missing(const std::string& name, const Packing& packing, const std::vector<double>& stored,
                    Index width, Index begin, const std::string& cure) {
  if (!packing.has_missing()) return {};
  for (std::size_t place = 0; place < stored.size(); ++place) {
    const std::string why = packing.why_missing(stored[place]);
    if (why.empty()) continue;
    const Index row = begin + static_cast<Index>(place) / width;
    return {row,
            fmt::format("{}: row {}, column {} holds {}, which {}: the value is missing; {} (rows count "
                        "from 0)",
                        name, row, static_cast<Index>(place) % width, to_text(stored[place]), why, cure)};
  }
  return {};
}

/// How a user gets rid of missing values.
std::string cure_of(const std::string& path) {
  return "fill it in, or write a copy without such rows: poise-data import -h5 " + path +
         " -drop_missing true -out NEW.h5";
}

Defect find_not_finite(const std::string& name, const std::vector<double>& values, Index width, Index begin,
                       const std::string& cure = "fill in or leave out such rows") {
  const auto bad = std::find_if(values.begin(), values.end(), [](double x) { return !std::isfinite(x); });
  if (bad == values.end()) return {};
  const Index place = bad - values.begin();
  const Index row = begin + place / width;
  return {row, fmt::format("{}: row {}, column {} holds {}; {} (rows count from 0)", name, row, place % width,
                           to_text(*bad), cure)};
}

Defect find_bad_label(const std::string& name, const std::vector<Index>& labels, Index classes, Index begin) {
  const auto bad = std::find_if(labels.begin(), labels.end(),
                                [&](Index c) { return c != missing_label && (c < 0 || c >= classes); });
  if (bad == labels.end()) return {};
  const Index row = begin + (bad - labels.begin());
  return {row, fmt::format("{}: row {} holds the label {}, outside [0, {}); correct it, or the attribute "
                           "'classes' of /labels (rows count from 0)",
                           name, row, *bad, classes)};
}

void set_one_hot(SampleBlock& block) {
  block.targets.assign(static_cast<std::size_t>(block.outputs * block.count), 0.0);
  for (Index i = 0; i < block.count; ++i)
    block.targets[static_cast<std::size_t>(i * block.outputs + block.labels[static_cast<std::size_t>(i)])] =
        1.0;
}

}  // namespace

Dataset::Dataset(MPI_Comm comm, const std::string& path, Missing missing) : comm_(comm), missing_(missing) {
  const H5File file = open_for(comm, path);
  const DatasetHeader header = read_dataset_header(file);
  agree(comm, [&] { info_ = validated(header); });
}

std::vector<double> Dataset::read_teacher() const {
  if (!info_.has_teacher) return {};
  std::vector<double> teacher(static_cast<std::size_t>(info_.outputs * info_.inputs));
  const H5File file = open_for(comm_, info_.path);
  file.read_rows("/teacher", {0, info_.outputs}, teacher);
  throw_first(comm_, find_not_finite("data file '" + info_.path + "': /teacher", teacher, info_.inputs, 0));
  return teacher;
}

SampleBlock Dataset::read(Range rows, const std::string& prefix) const {
  static const LogEvent event("DataRead");
  const auto scope = event.begin();
  const Index available = prefix.empty() ? info_.samples : info_.test_samples;
  SampleBlock block{rows.begin, rows.size(), info_.inputs, info_.outputs, {}, {}, {}};
  agree(comm_, [&] {
    if (rows.begin < 0 || rows.end < rows.begin || rows.end > available)
      throw bad_input(fmt::format("data file '{}': rows [{}, {}) asked of /{}features, which has {}",
                                  info_.path, rows.begin, rows.end, prefix, available));
    block.features.resize(static_cast<std::size_t>(block.inputs * block.count));
    block.targets.resize(static_cast<std::size_t>(block.outputs * block.count));
    if (info_.classification) block.labels.resize(static_cast<std::size_t>(block.count));
  });
  if (available == 0) return block;

  const H5File file = open_for(comm_, info_.path);
  const bool test = !prefix.empty();
  read_numbers(file, rows, "/" + prefix + "features",
               test ? info_.test_features_packing : info_.features_packing, block.inputs, block.features);
  const Packing& answers = test ? info_.test_answers_packing : info_.answers_packing;
  if (info_.classification)
    read_labels(file, rows, "/" + prefix + "labels", answers, block);
  else
    read_numbers(file, rows, "/" + prefix + "targets", answers, block.outputs, block.targets);
  return block;
}

void Dataset::read_numbers(const H5File& file, Range rows, const std::string& name, const Packing& packing,
                           Index columns, std::vector<double>& values) const {
  const std::string where = "data file '" + info_.path + "': " + name;
  file.read_rows(name, rows, values);
  if (missing_ == Missing::refuse)
    throw_first(comm_, find_missing(where, packing, values, columns, rows.begin, cure_of(info_.path)));
  for (double& value : values) value = packing.unpacked(value);
  if (missing_ == Missing::refuse)
    throw_first(comm_, find_not_finite(packing.scales() ? where + " x scale_factor + add_offset" : where,
                                       values, columns, rows.begin, cure_of(info_.path)));
}

void Dataset::read_labels(const H5File& file, Range rows, const std::string& name, const Packing& packing,
                          SampleBlock& block) const {
  const std::string where = "data file '" + info_.path + "': " + name;
  std::vector<double> stored(static_cast<std::size_t>(block.count));
  file.read_rows(name, rows, stored);  // integers beyond 2^53 are no classes either
  if (missing_ == Missing::refuse)
    throw_first(comm_, find_missing(where, packing, stored, 1, rows.begin, cure_of(info_.path)));
  Defect broken;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const double label = packing.unpacked(stored[i]);
    const bool missing = missing_ == Missing::keep && std::isnan(label);
    if (!missing && !(std::floor(label) == label && std::abs(label) < 0x1p53)) {
      broken = {
          rows.begin + static_cast<Index>(i),
          fmt::format("{}: row {} holds the label {}, which is no whole number; store the classes as 0, "
                      "1, 2, ..., or the numbers as /targets (rows count from 0)",
                      where, rows.begin + static_cast<Index>(i), to_text(label))};
      break;
    }
    block.labels[i] = missing ? missing_label : static_cast<Index>(label);
  }
  throw_first(comm_, broken);
  throw_first(comm_, find_bad_label(where, block.labels, info_.outputs, rows.begin));
  if (missing_ == Missing::refuse) set_one_hot(block);
}

}  // namespace poise
