// Run files: the fuzzer changes a good run file; its checksum is corrected, so that the code behind the check
// is reached.
#include "change_file.hpp"
#include "poise/io/run_file.hpp"
#include "support.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace poise;
  FuzzedDataProvider bytes(data, size);
  H5File out = H5File::create_in_memory("fuzz");
  out.set_attribute("/", "schema", std::string("poise-run-1"));
  for (const char* name : {"/history/t", "/history/step", "/history/loss"})
    out.write_rows(name, {4}, {0, 4}, std::vector<double>(4, 1.0));
  fuzz::change_file(
      out, bytes, {"/history/t", "/history/step", "/history/loss", "/history/x", "/history", "/config", "/"},
      {"schema", "x"});
  RunFile::mark_for_seal(out);
  const fuzz::File file(RunFile::sealed(out.image()));
  fuzz::accepts([&] {
    const History history = RunFile::load(MPI_COMM_SELF, file.path());
    for (const auto& row : history.rows) fuzz::promise(row.size() == history.columns.size());
  });
  return 0;
}
