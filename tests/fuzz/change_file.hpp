#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <string>
#include <vector>

#include "poise/io/hdf5.hpp"

namespace poise::fuzz {

/// Changes a file by calls of HDF5 that the bytes of the fuzzer choose: removes links, makes data sets of any
/// type, shape, layout, filter and size, attributes, soft, hard and external links, cycles, nested groups.
/// Changes that HDF5 refuses are skipped. `objects` and `attributes`: names of the schema, which are chosen
/// more often.
void change_file(H5File& file, FuzzedDataProvider& bytes, const std::vector<std::string>& objects,
                 const std::vector<std::string>& attributes);

}  // namespace poise::fuzz
