#include "poise_data/import.hpp"

#include <array>

#include "poise/base/error.hpp"

namespace poise::data {

DatasetInfo import_dataset(Options& options, bool declare_only) {
  struct Importer {
    std::string chosen_by;
    DatasetInfo (*run)(Options&, bool);
  };
  const std::array<Importer, 5> importers{{{"csv", import_csv},
                                           {"images", import_idx},
                                           {"npy_features", import_npy},
                                           {"npz", import_npz},
                                           {"h5", import_h5}}};
  const Importer* chosen = nullptr;
  for (const Importer& importer : importers) {
    if (declare_only) {
      (void)importer.run(options, true);
      continue;
    }
    if (!given_value(importer.chosen_by)) continue;  // declared by the importer, if it runs
    if (chosen != nullptr)
      throw bad_input("options -" + chosen->chosen_by + " and -" + importer.chosen_by +
                      " exclude each other: import one kind of file at a time");
    chosen = &importer;
  }
  if (declare_only) return {};
  if (chosen == nullptr)
    throw bad_input(
        "nothing to import: give -csv FILE, -images FILE, -npy_features FILE, -npz FILE or -h5 FILE (-help "
        "lists all)");
  return chosen->run(options, false);
}

}  // namespace poise::data
