// The importers of poise-data. Byte 0 chooses the importer and its options (64: of graphs), byte 1 the length
// of the second file (labels, targets, sets), which follows; the remaining bytes are the first file.
#include <petscsys.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>

#include "poise/base/check.hpp"
#include "poise/graph/graph_dataset.hpp"
#include "poise_data/poise_data.hpp"
#include "support.hpp"

namespace poise::fuzz {
namespace {

std::string compressed(const std::string& text) {
  z_stream stream{};
  constexpr int gzip_format = 15 + 16;
  promise(deflateInit2(&stream, 1, Z_DEFLATED, gzip_format, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  promise(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void set(const char* name, const std::string& value) {
  check(PetscOptionsSetValue(nullptr, name, value.c_str()));
}

bool is_graph(unsigned choice) {
  return (choice & 64U) != 0;
}

void set_edges(unsigned choice, const std::string& first, const std::string& second) {
  set("-edges", first);
  set("-directed", (choice & 1U) != 0 ? "true" : "false");
  set("-edge_weights", (choice & 2U) != 0 ? "true" : "false");
  switch (choice / 4 % 4) {
    case 0:
      return set("-map_nodes", "true");
    case 1:
      return set("-sets", second);
    case 2:
      return set("-csv", second), set("-label_column", "-1");
    default:
      return set("-csv", second), set("-label_column", "-1"), set("-node_column", "0");
  }
}

void set_files(unsigned choice, const std::string& first, const std::string& second) {
  if (is_graph(choice)) return set_edges(choice, first, second);
  switch (choice % 6) {
    case 0:
      return set("-csv", first), set("-label_column", "-1");
    case 1:
      return set("-csv", first), set("-target_columns", "0,-1");
    case 2:
      return set("-csv", first), set("-target_csv", second);
    case 3:
      return set("-images", first), set("-labels", second);
    case 4:
      return set("-npy_features", first), set("-npy_labels", second);
    default:
      return set("-npy_features", first), set("-npy_targets", second);
  }
}

/// The imported file can be read.
void read_back(unsigned choice, const std::string& path) {
  if (!is_graph(choice)) {
    const Dataset set(MPI_COMM_SELF, path);
    (void)set.read_train({0, set.info().samples});
    return;
  }
  const GraphDataset graph(MPI_COMM_SELF, path);
  const Range nodes{0, graph.info().nodes};
  (void)graph.read_rows(nodes);
  (void)graph.read_nodes(nodes);
  if (graph.info().has_mask[0]) (void)graph.read_masks(0, nodes);
}

}  // namespace
}  // namespace poise::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace poise;
  if (size < 2) return 0;
  const unsigned choice = data[0];
  const std::size_t length = std::min<std::size_t>(data[1], size - 2);
  std::string second(reinterpret_cast<const char*>(data + 2), length);
  std::string first(reinterpret_cast<const char*>(data + 2 + length), size - 2 - length);
  if (choice >= 128) first = fuzz::compressed(first);
  const fuzz::File file(first);
  const fuzz::File other(second);
  const fuzz::File out("");
  check(PetscOptionsClear(nullptr));
  fuzz::set_files(choice, file.path(), other.path());
  fuzz::set("-out", out.path());
  fuzz::set("-force", "true");
  Options options;
  if (!fuzz::accepts([&] { (void)poise::data::import_dataset(options); })) return 0;
  fuzz::read_back(choice, out.path());
  return 0;
}
