#include "poise/io/packing.hpp"

#include <algorithm>
#include <cmath>

#include "poise/base/agree.hpp"
#include "poise/base/options.hpp"

namespace poise {
namespace {

/// `value` as a data set of this type would store it: files state 1e20 in double precision for numbers of
/// single precision, where 1e20 is another number.
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

}  // namespace poise
