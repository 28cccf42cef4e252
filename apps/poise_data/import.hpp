#pragma once

#include "poise/base/options.hpp"
#include "poise/io/dataset.hpp"

namespace poise::data {

/// An importer declares its options, reads its files and writes the data set. Serial, on a communicator of
/// one rank. Throws bad_input for wrong options and for everything that is wrong with the files, and then
/// leaves no output file. With `declare_only` it returns after the declarations (for -help).
DatasetInfo import_csv(Options& options, bool declare_only = false);
/// Images and labels in IDX files, the format of MNIST. Images are stored as the bytes they are, with
/// -pixel_scale (default 1/255) as the attribute `scale_factor`, by which readers multiply.
DatasetInfo import_idx(Options& options, bool declare_only = false);
DatasetInfo import_npy(Options& options, bool declare_only = false);
DatasetInfo import_npz(Options& options, bool declare_only = false);
/// A data file once more, its packed numbers unpacked, and on request without rows that miss one.
DatasetInfo import_h5(Options& options, bool declare_only = false);

/// `poise-data import`: runs the importer that -csv, -images, -npy_features, -npz or -h5 chooses.
DatasetInfo import_dataset(Options& options, bool declare_only = false);

}  // namespace poise::data
