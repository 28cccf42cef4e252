#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "poise/io/hdf5.hpp"

namespace poise {

/// What the attributes of a data set say of its stored numbers, by the CF conventions (8.1, 2.5.1): value =
/// scale_factor × stored + add_offset; a stored number that is _FillValue or missing_value, or outside
/// valid_min, valid_max, valid_range, stands for none.
struct Packing {
  double scale_factor = 1.0, add_offset = 0.0;
  std::vector<double>
      missing;  ///< _FillValue, missing_value; these and the limits as the data set stores them
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();

  /// Collective. Throws bad_input, naming data set and attribute, for attributes that cannot be applied:
  /// `_Unsigned`, texts, a scale_factor that is 0 or not finite, or, where the numbers are classes, a factor
  /// or an offset.
  static Packing read(const H5File& file, const std::string& data_set, bool classes);

  [[nodiscard]] bool scales() const { return scale_factor != 1.0 || add_offset != 0.0; }
  [[nodiscard]] bool has_missing() const;
  /// Why a stored number stands for none, as "_FillValue or missing_value"; empty if it stands for itself.
  [[nodiscard]] std::string why_missing(double stored) const;
  /// NaN where it is missing.
  [[nodiscard]] double unpacked(double stored) const;
};

}  // namespace poise
