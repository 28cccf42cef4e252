#include "poise/run/sample_source.hpp"

#include <fmt/format.h>

#include "poise/base/text.hpp"
#include "poise/run/graph_source.hpp"
#include "poise/run/training_data.hpp"
#include "poise/run/usage.hpp"

namespace poise {
inline namespace run {
namespace {

/// The sets of a data file, or its training rows divided by -validation_fraction.
class RowsOfFile final : public SampleSource {
 public:
  RowsOfFile(const ProcessGrid& grid, const TrainSettings& settings, const std::string& path)
      : grid_(grid), dataset_(grid.world(), path), split_(divide(settings)) {}

  [[nodiscard]] const DatasetInfo& info() const override { return dataset_.info(); }
  [[nodiscard]] Index total(Set set) const override {
    if (set == Set::train) return split_.train_count();
    if (set == Set::test) return info().test_samples;
    return split_.validation_count() + info().validation_samples;  // one of them is 0
  }
  [[nodiscard]] SplitSamples read(Set set) const override {
    if (set == Set::train) return split_.read_train();
    if (total(set) == 0) return {};
    if (set == Set::test) return whole(dataset_.read_test(grid_.samples(info().test_samples)), 1);
    if (split_.validation_count() > 0) return split_.read_validation();
    return whole(dataset_.read_validation(grid_.samples(info().validation_samples)), 2);
  }
  [[nodiscard]] std::vector<double> read_teacher() const override { return dataset_.read_teacher(); }
  [[nodiscard]] std::string way_to_validate() const override {
    return "-validation_fraction F, or data with /validation_features";
  }

 private:
  [[nodiscard]] ValidationSplit divide(const TrainSettings& settings) const {
    (void)require_fitting(settings, info());
    if (settings.validation_fraction > 0.0 && info().validation_samples > 0)
      throw usage(
          fmt::format("-validation_fraction {}: {} has a validation set already "
                      "(/validation_features); leave the option out",
                      to_text(settings.validation_fraction), info().path));
    const Index rows = settings.train_samples > 0 ? settings.train_samples : info().samples;
    return {grid_, dataset_, rows, settings.validation_fraction, settings.seed};
  }
  /// All rows of a set that this rank holds, which is not divided further.
  static SplitSamples whole(SampleBlock block, std::uint64_t set) {
    const Range rows{block.begin, block.begin + block.count};
    return {std::move(block), indices(rows), set};
  }

  const ProcessGrid& grid_;
  Dataset dataset_;
  ValidationSplit split_;
};

}  // namespace

std::uint64_t mark_of(Index row, std::uint64_t set, std::uint32_t crc) {
  // The row has the bits from 33 on, so a set above 1 is mixed in: no two rows of a set have the same bits.
  std::uint64_t mark = static_cast<std::uint64_t>(row) << 33U | (set & 1U) << 32U | crc;
  mark ^= (set >> 1U) * 0x9e3779b97f4a7c15U;
  // splitmix64
  mark = (mark ^ (mark >> 30U)) * 0xbf58476d1ce4e5b9U;
  mark = (mark ^ (mark >> 27U)) * 0x94d049bb133111ebU;
  return mark ^ (mark >> 31U);
}

DatasetInfo read_data_header(MPI_Comm comm, const TrainSettings& settings, const std::string& path) {
  return settings.network.is_graph() ? GraphDataset(comm, path).info() : Dataset(comm, path).info();
}

std::unique_ptr<SampleSource> open_samples(const ProcessGrid& grid, const TrainSettings& settings,
                                           const std::string& path) {
  if (settings.network.is_graph()) return std::make_unique<GraphSource>(grid, path, settings.split);
  return std::make_unique<RowsOfFile>(grid, settings, path);
}

}  // namespace run
}  // namespace poise
