#include "poise/predict/foreign_samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "poise/import/npy.hpp"
#include "poise/io/dataset_writer.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace predict {
namespace {

using data::CsvReader;
using data::CsvRoles;
using data::CsvRow;
using data::NpyMatrix;
using data::NpyReader;

/// The numbers in a block, so that memory stays bounded: 8 MB.
constexpr Index block_numbers = 1'000'000;
/// Stands in the copy for a label that is missing.
constexpr Index no_label = -1;

/// Data files and checkpoints do not keep blanks at the end of a name.
std::string without_padding(const std::string& name) {
  return name.substr(0, name.find_last_not_of(' ') + 1);
}

/// Finds the class of a label.
class ClassFinder {
 public:
  explicit ClassFinder(const NetworkSides& network) : classes_(network.classes) {
    for (std::size_t c = 0; c < network.names.classes.size(); ++c) {
      names_.push_back(network.names.classes[c]);
      by_name_.emplace(names_.back(), static_cast<Index>(c));
    }
  }

  /// Throws bad_input that begins with `where`.
  [[nodiscard]] Index operator()(const std::string& text, const std::string& where) const {
    const std::string label = without_padding(text);
    if (label.empty() || data::means_missing(label)) return no_label;
    if (const auto named = by_name_.find(label); named != by_name_.end()) return named->second;
    if (!names_.empty()) {
      const std::string near = nearest_name(label, names_);
      throw bad_input(where + ": the network has no class named " + data::quoted(label) +
                      (near.empty() ? "" : " (the nearest name is '" + near + "')"));
    }
    double number = 0.0;
    if (data::is_number(label, number) && std::floor(number) == number && number >= 0.0 &&
        number < static_cast<double>(classes_))
      return static_cast<Index>(number);
    throw bad_input(fmt::format(
        "{}: the label {} is not the number of a class: the classes of the network have no names, and their "
        "numbers are 0 to {}",
        where, data::quoted(label), classes_ - 1));
  }

 private:
  Index classes_;
  std::vector<std::string> names_;
  std::map<std::string, Index, data::LabelOrder> by_name_;
};

/// Samples that are read once, in their order.
class Source {
 public:
  virtual ~Source() = default;
  /// What the copy has: path and has_answers are set by others.
  DatasetInfo info;
  /// The next rows, at most `most`; an empty block at the end.
  virtual SampleBlock next(Index most) = 0;
};

void require_classes(const NetworkSides& network, const std::string& option) {
  if (network.classes == 0)
    throw usage(option +
                ": the network was trained on targets, not on classes: name the targets instead, or "
                "none");
}

void require_targets(const NetworkSides& network, const std::string& option, Index count) {
  if (network.classes > 0 && network.outputs > 1)
    throw usage(option +
                ": the network was trained on classes, not on targets: name the labels instead, or "
                "none");
  if (count != network.outputs)
    throw usage(fmt::format("{} has {}, but the network has {}", option, plural(count, "column"),
                            plural(network.outputs, "output")));
}

class CsvSource final : public Source {
 public:
  CsvSource(const ForeignSamples& from, const NetworkSides& network, NewSampleReader::BadRows bad_rows)
      : from_(from),
        network_(network),
        bad_rows_(bad_rows),
        class_of_(network),
        reader_(from.csv, from.format, [this](Index columns, const std::vector<std::string>& names) {
          return roles(columns, names);
        }) {
    CsvReader counter(from.csv, from.format);
    while (counter.skip()) ++info.samples;
    if (info.samples == 0) throw bad_input(from.csv + ": holds no row of numbers: is it a text table?");
    find_targets();
    info.inputs = reader_.columns() - static_cast<Index>(targets_.size());
  }

  SampleBlock next(Index most) override {
    SampleBlock block{done_, 0, info.inputs, info.outputs, {}, {}, {}};
    for (CsvRow row; block.count < most && reader_.next(row); ++block.count) take(row, block);
    done_ += block.count;
    return block;
  }

 private:
  using Columns = std::vector<Index>;
  static bool has(const Columns& all, Index column) {
    return std::find(all.begin(), all.end(), column) != all.end();
  }

  /// Called while the first line is read: what the network does not take is not even read as a number.
  CsvRoles roles(Index columns, const std::vector<std::string>& names) {
    Columns labels, dropped;
    if (!from_.label_column.empty())
      labels = data::parse_columns(from_.label_column, columns, names, "-label_column");
    if (labels.size() > 1) throw usage("option -label_column: give one column");
    if (!from_.target_columns.empty())
      target_columns_ = data::parse_columns(from_.target_columns, columns, names, "-target_columns");
    if (!from_.drop_columns.empty())
      dropped = data::parse_columns(from_.drop_columns, columns, names, "-drop_columns");
    const Columns& answers = labels.empty() ? target_columns_ : labels;
    if (!labels.empty()) require_classes(network_, "-label_column");
    if (!target_columns_.empty())
      require_targets(network_, "-target_columns", static_cast<Index>(target_columns_.size()));
    for (const Index answer : answers)
      if (has(dropped, answer)) throw usage("-drop_columns names a column of labels or targets");
    if (data::begins_with_index(names) && !has(answers, 0)) dropped.push_back(0);
    Columns features;
    for (Index c = 0; c < columns; ++c)
      if (!has(answers, c) && !has(dropped, c)) features.push_back(c);
    drop_unneeded(names, features, dropped);
    CsvRoles roles{dropped, labels.empty() ? Index{-1} : labels[0], target_columns_};
    if (bad_rows_ == NewSampleReader::BadRows::skip)
      roles.may_miss.insert(roles.may_miss.end(), features.begin(), features.end());
    set_info(names, labels);
    return roles;
  }

  /// Moves the columns that the network does not take from `features` to `dropped`.
  void drop_unneeded(const std::vector<std::string>& names, const Columns& features, Columns& dropped) const {
    const std::string where = "table '" + from_.csv + "'";
    if (names.empty() || network_.names.inputs.empty()) {
      if (static_cast<Index>(features.size()) != network_.inputs)
        throw usage(fmt::format(
            "{} has {} of features, but the network was trained on {}: name the column of the classes by "
            "-label_column, or of the targets by -target_columns, or leave columns out by -drop_columns",
            where, plural(static_cast<Index>(features.size()), "column"), network_.inputs));
      return;
    }
    std::vector<std::string> offered;
    for (const Index column : features)
      offered.push_back(without_padding(names[static_cast<std::size_t>(column)]));
    const Columns needed = match_names(network_.names.inputs, offered, where, "column of features named");
    for (std::size_t k = 0; k < features.size(); ++k)
      if (!has(needed, static_cast<Index>(k))) dropped.push_back(features[k]);
  }

  void set_info(const std::vector<std::string>& names, const Columns& labels) {
    info.classification = !labels.empty();
    info.outputs = labels.empty() ? static_cast<Index>(target_columns_.size()) : network_.classes;
    if (info.classification) info.class_names = network_.names.classes;
    if (names.empty()) return;
    for (const Index column : target_columns_)
      info.target_names.push_back(names[static_cast<std::size_t>(column)]);
  }

  /// Where the targets stand among the columns of numbers.
  void find_targets() {
    const Columns& numbers = reader_.numbers();
    for (const Index column : target_columns_)
      targets_.push_back(std::find(numbers.begin(), numbers.end(), column) - numbers.begin());
    is_target_.assign(numbers.size(), false);
    for (const Index place : targets_) is_target_[static_cast<std::size_t>(place)] = true;
    for (std::size_t c = 0; c < reader_.names().size(); ++c)
      if (!is_target_[c]) info.input_names.push_back(reader_.names()[c]);
  }

  void take(const CsvRow& row, SampleBlock& block) const {
    for (std::size_t c = 0; c < row.numbers.size(); ++c)
      if (!is_target_[c]) block.features.push_back(row.numbers[c]);
    for (const Index place : targets_) block.targets.push_back(row.numbers[static_cast<std::size_t>(place)]);
    if (info.classification)
      block.labels.push_back(class_of_(row.text, fmt::format("{}: line {}", from_.csv, row.line)));
  }

  const ForeignSamples& from_;
  const NetworkSides& network_;
  NewSampleReader::BadRows bad_rows_;
  ClassFinder class_of_;
  Columns target_columns_;       // in the file
  Columns targets_;              // the same among the columns of numbers
  std::vector<bool> is_target_;  // of each column of numbers
  Index done_ = 0;
  CsvReader reader_;  // its constructor calls `roles`: the last member
};

class NpySource final : public Source {
 public:
  NpySource(const ForeignSamples& from, const NetworkSides& network, NewSampleReader::BadRows bad_rows)
      : bad_rows_(bad_rows), class_of_(network), features_(data::ByteReader(from.npy_features)) {
    if (!from.npy_labels.empty()) labels_.emplace(data::ByteReader(from.npy_labels));
    if (!from.npy_targets.empty()) targets_.emplace(data::ByteReader(from.npy_targets));
    info.samples = features_.rows();
    info.inputs = features_.columns();
    require_numbers(features_);
    if (info.inputs != network.inputs)
      throw usage(fmt::format("{} has {} of features, but the network was trained on {}", features_.path(),
                              plural(info.inputs, "column"), network.inputs));
    if (labels_) take_labels(network);
    if (targets_) take_targets(network);
  }

  SampleBlock next(Index most) override {
    const Range rows{done_, std::min(info.samples, done_ + most)};
    SampleBlock block{rows.begin, rows.size(), info.inputs, info.outputs, {}, {}, {}};
    if (rows.size() == 0) return block;
    done_ = rows.end;
    block.features = features_.read(rows).values;
    if (bad_rows_ == NewSampleReader::BadRows::refuse) require_finite(block);
    if (targets_) block.targets = targets_->read(rows).values;
    if (labels_) read_labels(rows, block);
    if (rows.end == info.samples)
      for (NpyReader* reader : {&features_, labels_ ? &*labels_ : nullptr, targets_ ? &*targets_ : nullptr})
        if (reader != nullptr) reader->expect_end();
    return block;
  }

 private:
  static void require_numbers(const NpyReader& reader) {
    if (reader.holds_texts()) throw bad_input(reader.path() + ": holds texts; numbers are needed here");
  }
  void require_rows(const NpyReader& answers) const {
    if (answers.rows() != features_.rows())
      throw bad_input(fmt::format("{}: has {} rows, {} has {}: both need one row per sample", answers.path(),
                                  answers.rows(), features_.path(), features_.rows()));
  }

  void take_labels(const NetworkSides& network) {
    require_classes(network, "-npy_labels");
    require_rows(*labels_);
    if (labels_->columns() != 1)
      throw bad_input(fmt::format(
          "{}: has {} columns; labels need one (numpy.argmax(array, axis=1) makes them from one-hot rows)",
          labels_->path(), labels_->columns()));
    info.classification = true;
    info.outputs = network.classes;
    info.class_names = network.names.classes;
  }

  void take_targets(const NetworkSides& network) {
    require_numbers(*targets_);
    require_rows(*targets_);
    require_targets(network, "-npy_targets", targets_->columns());
    info.outputs = targets_->columns();
  }

  void require_finite(const SampleBlock& block) const {
    const auto bad = std::find_if(block.features.begin(), block.features.end(),
                                  [](double x) { return !std::isfinite(x); });
    if (bad == block.features.end()) return;
    const Index place = bad - block.features.begin();
    throw bad_input(fmt::format(
        "{}: row {}, column {} (rows and columns count from 0) holds {}: fill it in, or give -skip_bad_rows "
        "true to leave out such rows",
        features_.path(), block.begin + place / info.inputs, place % info.inputs, to_text(*bad)));
  }

  void read_labels(Range rows, SampleBlock& block) {
    const NpyMatrix raw = labels_->read(rows);
    for (Index i = 0; i < rows.size(); ++i) {
      const auto k = static_cast<std::size_t>(i);
      block.labels.push_back(class_of_(raw.texts.empty() ? to_text(raw.values[k]) : raw.texts[k],
                                       fmt::format("{}: row {} (from 0)", labels_->path(), rows.begin + i)));
    }
  }

  NewSampleReader::BadRows bad_rows_;
  ClassFinder class_of_;
  NpyReader features_;
  std::optional<NpyReader> labels_, targets_;
  Index done_ = 0;
};

/// Options of a category that only `needed` of it gives an effect.
void refuse_options_of(const std::string& category, const std::string& needed, const Options& options) {
  for (const Setting& setting : options.settings())
    if (setting.category == category && setting.given && setting.name != needed && !setting.value.empty())
      throw usage("-" + setting.name + " belongs to -" + needed + " FILE: give this option, too, or leave -" +
                  setting.name + " out");
}

void copy(Source& source, const std::string& from, const std::string& path) {
  DatasetInfo& info = source.info;
  info.path = path;
  info.has_answers = info.outputs > 0;
  if (info.classification) info.answers_packing.missing = {static_cast<double>(no_label)};
  DatasetWriter writer(MPI_COMM_SELF, info);
  const Index most = std::max<Index>(1, block_numbers / (info.inputs + info.outputs));
  Index done = 0;
  for (SampleBlock block = source.next(most); block.count > 0; block = source.next(most)) {
    done += block.count;
    if (done > info.samples) break;
    writer.write_train(block);
  }
  if (done != info.samples)
    throw bad_input(
        from +
        ": had another number of rows when it was read a second time: name a file that can be read "
        "twice, and that no program changes meanwhile");
  writer.commit();
}

}  // namespace

ForeignSamples ForeignSamples::from(Options& options) {
  ForeignSamples o;
  {
    const Options::Category category(options, "csv");
    o.csv = options.text("csv", "",
                         "text table with the new samples, plain or .gz, instead of -data; columns "
                         "are matched by name if the table has a header and the network's inputs "
                         "have names");
    o.label_column = options.text(
        "label_column", "", "column of the right class, by number (0 is the first, -1 the last) or name");
    o.target_columns =
        options.text("target_columns", "", "columns of the right targets, such as 10,11 or price");
    o.drop_columns = options.text("drop_columns", "", "columns to leave out, such as 0 or id,name");
    o.format = data::CsvFormat::from(options);
    o.format.cure_of_missing = "-skip_bad_rows true";
  }
  const Options::Category category(options, "npy");
  o.npy_features = options.text(
      "npy_features", "",
      "NPY array of the new samples, plain or .gz, instead of -data; its first index is the sample");
  o.npy_labels =
      options.text("npy_labels", "", "NPY array of the right classes: numbers from 0 on, or names");
  o.npy_targets = options.text("npy_targets", "", "NPY array of the right targets");
  if (o.csv.empty()) refuse_options_of("csv", "csv", options);
  if (o.npy_features.empty()) refuse_options_of("npy", "npy_features", options);
  if (!o.csv.empty() && !o.npy_features.empty())
    throw usage("-csv and -npy_features name two files of samples; give only one of these options");
  if (!o.label_column.empty() && !o.target_columns.empty())
    throw usage("-label_column and -target_columns exclude each other: a network has classes or targets");
  if (!o.npy_labels.empty() && !o.npy_targets.empty())
    throw usage("-npy_labels and -npy_targets exclude each other: a network has classes or targets");
  return o;
}

void ForeignSamples::copy_to(const std::string& path, const NetworkSides& network,
                             NewSampleReader::BadRows bad_rows) const {
  if (csv.empty()) {
    NpySource source(*this, network, bad_rows);
    copy(source, this->path(), path);
  } else {
    CsvSource source(*this, network, bad_rows);
    copy(source, this->path(), path);
  }
}

}  // namespace predict
}  // namespace poise
