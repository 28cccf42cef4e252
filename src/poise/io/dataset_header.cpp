#include "poise/io/dataset_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "poise/base/agree.hpp"
#include "poise/base/error.hpp"
#include "poise/base/options.hpp"
#include "poise/io/hdf5_untrusted.hpp"

namespace poise {
inline namespace io {
namespace {

/// `value` rounded to the type of a data set: files give the attribute 1e20 in double precision for numbers
/// in single precision, whose nearest number differs from 1e20.
double as_stored(double value, const std::string& type) {
  if (type == "float32" && std::abs(value) <= std::numeric_limits<float>::max())
    return static_cast<double>(static_cast<float>(value));
  if (type == "float16" && std::isfinite(value)) {
    constexpr int digits = 11;
    int exponent = 0;
    const double mantissa = std::frexp(value, &exponent);
    return std::ldexp(std::nearbyint(std::ldexp(mantissa, digits)), exponent - digits);
  }
  return value;
}

}  // namespace

Packing Packing::read(const H5File& file, const std::string& data_set, bool classes) {
  Packing packing;
  const std::string where = "data file '" + file.path() + "': the attribute '";
  const auto refuse = [&](const std::string& name, const std::string& why) {
    return Error(ExitCode::bad_input, where + name + "' of " + data_set + " " + why, true);
  };
  const auto number = [&](const std::string& name) {
    const std::vector<double> numbers = file.numbers_attribute(data_set, name);
    if (numbers.size() != 1) throw refuse(name, "has more than one number");
    return numbers[0];
  };
  const std::string type = file.shape(data_set).type;
  for (const std::string& name : file.attributes(data_set)) {
    if (name == "scale_factor") packing.scale_factor = number(name);
    if (name == "add_offset") packing.add_offset = number(name);
    if (name == "_FillValue" || name == "missing_value")
      for (const double value : file.numbers_attribute(data_set, name)) packing.missing.push_back(value);
    if (name == "valid_min") packing.low = std::max(packing.low, number(name));
    if (name == "valid_max") packing.high = std::min(packing.high, number(name));
    if (name == "valid_range") {
      const std::vector<double> range = file.numbers_attribute(data_set, name);
      if (range.size() != 2) throw refuse(name, "is not two numbers, the smallest and the largest valid one");
      packing.low = std::max(packing.low, range[0]);
      packing.high = std::min(packing.high, range[1]);
    }
    if (name == "_Unsigned")
      throw refuse(name, "is not applied: store the numbers with an unsigned type and remove it");
  }
  for (double& value : packing.missing) value = as_stored(value, type);
  packing.low = as_stored(packing.low, type);
  packing.high = as_stored(packing.high, type);
  if (!std::isfinite(packing.scale_factor) || packing.scale_factor == 0.0)
    throw refuse("scale_factor",
                 "is " + to_text(packing.scale_factor) + "; it must be a number other than 0");
  if (!std::isfinite(packing.add_offset))
    throw refuse("add_offset", "is " + to_text(packing.add_offset) + "; it must be a number");
  if (classes && packing.scales())
    throw refuse(packing.scale_factor != 1.0 ? "scale_factor" : "add_offset",
                 "has no meaning for classes: remove it, and store the classes as integers 0, 1, 2, ...");
  return packing;
}

bool Packing::has_missing() const {
  return !missing.empty() || std::isfinite(low) || std::isfinite(high);
}

std::string Packing::why_missing(double stored) const {
  for (const double value : missing)
    if (stored == value || (std::isnan(stored) && std::isnan(value)))
      return "is the _FillValue or missing_value";
  if (stored < low) return "is below the least valid number, " + to_text(low);
  if (stored > high) return "is above the largest valid number, " + to_text(high);
  return {};
}

double Packing::unpacked(double stored) const {
  if (has_missing() && !why_missing(stored).empty()) return std::numeric_limits<double>::quiet_NaN();
  return scales() ? scale_factor * stored + add_offset : stored;
}

namespace {

std::string text_or_nothing(const H5File& file, const std::string& name) {
  return file.has_attribute("/", name) ? file.text_attribute("/", name) : "";
}

SetHeader read_set_header(const H5File& file, const std::string& prefix) {
  SetHeader set;
  set.prefix = "/" + prefix;
  const auto shape_of = [&](const std::string& name) -> std::optional<H5Shape> {
    if (!file.exists(set.prefix + name)) return std::nullopt;
    return file.shape(set.prefix + name);
  };
  set.features = shape_of("features");
  set.targets = shape_of("targets");
  set.labels = shape_of("labels");
  if (set.features) set.features_packing = Packing::read(file, set.prefix + "features", false);
  if (set.targets) set.answers_packing = Packing::read(file, set.prefix + "targets", false);
  if (set.labels) set.answers_packing = Packing::read(file, set.prefix + "labels", true);
  if (set.labels && file.has_attribute(set.prefix + "labels", "classes"))
    set.classes = file.integer_attribute(set.prefix + "labels", "classes");
  return set;
}

std::string dims_text(const H5Shape& shape) {
  std::string text;
  for (const Index d : shape.dims) text += fmt::format("{}{}", text.empty() ? "" : ", ", d);
  return "[" + text + "]";
}

class Validator {
 public:
  Validator(const DatasetHeader& header, Answers answers, const std::string& schema)
      : header_(header), answers_(answers), schema_(schema) {}

  [[nodiscard]] DatasetInfo info() const {
    const SetHeader& train = header_.train;
    require_schema();
    if (!train.features) fail("has no data set /features [samples, inputs]" + contents());
    require_numbers(train, "features", *train.features, 2);
    DatasetInfo info;
    info.path = header_.path;
    info.name = header_.name;
    info.source = header_.source;
    info.license = header_.license;
    info.samples = train.features->dims[0];
    info.inputs = train.features->dims[1];
    info.feature_type = train.features->type;
    info.scale_factor = train.features_packing.scale_factor;
    info.features_packing = train.features_packing;
    info.answers_packing = train.answers_packing;
    if (info.samples == 0) fail("/features has no rows: a data set needs at least one sample");
    if (info.inputs == 0) fail("/features has no columns: a sample needs at least one feature");
    info.classification = train.labels.has_value();
    info.has_answers = answers_ == Answers::required || train.targets || train.labels;
    if (info.has_answers) info.outputs = require_answers(train);
    add_set(header_.validation, info, info.validation_samples, info.validation_features_packing,
            info.validation_answers_packing);
    add_set(header_.test, info, info.test_samples, info.test_features_packing, info.test_answers_packing);
    if (info.classification) require_proportion(info);
    if (info.classification && schema_ == graph_schema) info.answers_packing.missing.push_back(-1);
    info.has_teacher = info.has_answers && header_.teacher;
    if (info.has_teacher) require_teacher(info);
    info.input_names = names("/input_names", header_.input_names, info.inputs, "column of /features");
    if (!info.has_answers) return info;
    if (info.classification)
      info.class_names = names("/class_names", header_.class_names, info.outputs, "class");
    else
      info.target_names = names("/target_names", header_.target_names, info.outputs, "column of /targets");
    return info;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw bad_input("data file '" + header_.path + "': " + what);
  }

  void require_schema() const {
    if (!header_.schema.empty() && header_.schema != schema_)
      fail("its attribute 'schema' is '" + header_.schema + "', where '" + schema_ +
           "' is read (a run or a checkpoint is not a data file, and a graph is not a table of samples: "
           "poise-train takes graphs with -model graph alone, and nothing else with it)");
  }

  [[nodiscard]] std::string contents() const {
    std::string text;
    for (std::size_t i = 0; i < std::min<std::size_t>(header_.objects.size(), 10); ++i)
      if (header_.objects[i] != "/") text += (text.empty() ? "" : ", ") + header_.objects[i];
    return text.empty() ? "; it is empty" : "; it holds " + text;
  }

  [[nodiscard]] std::vector<std::string> names(const std::string& set,
                                               const std::optional<std::vector<std::string>>& names,
                                               Index wanted, const std::string& of_what) const {
    if (!names) return {};
    if (static_cast<Index>(names->size()) != wanted)
      fail(fmt::format("{} has {} names, not {}: it needs one for each {}, or leave it out", set,
                       names->size(), wanted, of_what));
    std::vector<std::string> printable = *names;  // a name must not steer a terminal or break a table
    for (std::string& name : printable)
      std::replace_if(
          name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, ' ');
    return printable;
  }

  void require_numbers(const SetHeader& set, const std::string& name, const H5Shape& shape,
                       std::size_t dimensions) const {
    const bool labels = dimensions == 1;
    const std::string what = set.prefix + name + " " + dims_text(shape);
    if (shape.kind != H5Kind::integer && shape.kind != H5Kind::real)
      fail(what + (labels ? " does not hold numbers: store the classes as integers 0, 1, 2, ..."
                          : " holds neither reals nor integers: store numbers"));
    if (name == "targets" && shape.dims.size() == 1) return;  // of one output
    if (shape.dims.size() != dimensions)
      fail(fmt::format(
          "{} has {} dimensions; it needs {}", what, shape.dims.size(),
          labels ? "one: [samples]" : "two, one row a sample: reshape it, a single column to [samples, 1]"));
  }

  void require_rows(const SetHeader& set, const std::string& name, const H5Shape& shape) const {
    if (shape.dims[0] != set.features->dims[0])
      fail(fmt::format("{0}{1} has {2} rows, {0}features has {3}: both need one row a sample", set.prefix,
                       name, shape.dims[0], set.features->dims[0]));
  }

  /// The number of targets or classes of `set`.
  [[nodiscard]] Index require_answers(const SetHeader& set) const {
    if (set.targets && set.labels)
      fail("has both " + set.prefix + "targets and " + set.prefix +
           "labels: keep the first for regression, the second for classification");
    if (!set.targets && !set.labels)
      fail("has neither " + set.prefix + "targets [samples, outputs] nor " + set.prefix +
           "labels [samples]: add one of them");
    if (set.targets) {
      require_numbers(set, "targets", *set.targets, 2);
      require_rows(set, "targets", *set.targets);
      if (set.targets->dims.size() == 1) return 1;
      if (set.targets->dims[1] == 0) fail(set.prefix + "targets has no columns: it needs at least one");
      return set.targets->dims[1];
    }
    require_numbers(set, "labels", *set.labels, 1);
    require_rows(set, "labels", *set.labels);
    if (!set.classes) {
      if (&set != &header_.train) return header_.train.classes.value_or(0);
      fail(set.prefix + "labels lacks the attribute 'classes', the number of classes: add it as an integer");
    }
    if (*set.classes < 1 || *set.classes > most_classes)
      fail(fmt::format("the attribute 'classes' of {}labels is {}; it must be from 1 to {}", set.prefix,
                       *set.classes, most_classes));
    return *set.classes;
  }

  /// Labels become one-hot columns. Their number is only an attribute, so it must fit to the size of the
  /// file.
  void require_proportion(const DatasetInfo& info) const {
    const Index most = static_cast<Index>(header_.bytes * largest_expansion / sizeof(double));
    if (info.outputs > most / std::max({info.samples, info.validation_samples, info.test_samples}))
      fail(
          fmt::format("the attribute 'classes' of /labels is {}, which is out of proportion to a file of {} "
                      "bytes: set it to the number of classes",
                      info.outputs, header_.bytes));
  }

  void require_teacher(const DatasetInfo& info) const {
    const H5Shape& shape = *header_.teacher;
    const bool numbers = shape.kind == H5Kind::real || shape.kind == H5Kind::integer;
    if (!numbers || shape.dims != std::vector<Index>{info.outputs, info.inputs})
      fail(fmt::format(
          "/teacher {} is not a matrix of numbers [outputs, inputs] = [{}, {}]: correct it, or leave it out",
          dims_text(shape), info.outputs, info.inputs));
  }

  /// A set beside the training set. Writes what `info` says of it.
  void add_set(const SetHeader& set, const DatasetInfo& info, Index& samples, Packing& features,
               Packing& answers) const {
    const std::string& prefix = set.prefix;
    if (!set.features) {
      if (set.targets || set.labels)
        fail("has " + prefix + (set.targets ? "targets" : "labels") + " but no " + prefix +
             "features: add it, or remove the other");
      return;
    }
    require_numbers(set, "features", *set.features, 2);
    if (set.features->dims[1] != info.inputs)
      fail(fmt::format("{}features has {} columns, /features has {}: both need the same features", prefix,
                       set.features->dims[1], info.inputs));
    features = set.features_packing;
    samples = set.features->dims[0];
    if (!info.has_answers && !set.targets && !set.labels) return;
    const Index outputs = require_answers(set);
    if (set.labels.has_value() != info.classification)
      fail("mixes /labels and /targets: " + prefix + "features needs the same kind as the training set");
    if (outputs != info.outputs)
      fail(fmt::format("{}{} has {} {}, the training set {}: both need the same", prefix,
                       info.classification ? "labels" : "targets", outputs,
                       info.classification ? "classes" : "targets", info.outputs));
    answers = set.answers_packing;
  }

  const DatasetHeader& header_;
  Answers answers_;
  const std::string& schema_;
};

}  // namespace

DatasetHeader read_dataset_header(const H5File& file) {
  DatasetHeader header;
  header.path = file.path();
  header.schema = text_or_nothing(file, "schema");
  header.name = text_or_nothing(file, "name");
  header.source = text_or_nothing(file, "source");
  header.license = text_or_nothing(file, "license");
  if (header.name.empty()) header.name = std::filesystem::path(header.path).stem().string();
  header.train = read_set_header(file, "");
  header.validation = read_set_header(file, "validation_");
  header.test = read_set_header(file, "test_");
  if (file.exists("/teacher")) header.teacher = file.shape("/teacher");
  for (const auto& [name, names] :
       {std::pair("/input_names", &header.input_names), std::pair("/target_names", &header.target_names),
        std::pair("/class_names", &header.class_names)})
    if (file.exists(name)) *names = file.read_texts(name);
  header.objects = file.objects();
  header.bytes = file.size();
  return header;
}

DatasetInfo validated(const DatasetHeader& header, Answers answers, const std::string& schema) {
  return Validator(header, answers, schema).info();
}

}  // namespace io
}  // namespace poise
