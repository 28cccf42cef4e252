#include "poise_sweep/sweep_file.hpp"

#include "poise/io/durable.hpp"
#include "poise/io/hdf5.hpp"

namespace poise::sweep {

void write_sweep(const std::string& path, const Table& table, const RunFile::Named& attributes,
                 const RunFile::Config& config) {
  H5File file = H5File::create_in_memory(path);
  file.set_attribute("/", "schema", std::string("poise-sweep-1"));
  for (const auto& [name, value] : attributes) file.set_attribute("/", name, value);
  file.create_group("/config");
  for (const auto& [name, value] : config) file.set_attribute("/config", name, value);
  file.create_group("/members");
  const auto rows = static_cast<Index>(table.rows());
  for (const Column& column : table.columns()) {
    const std::string name = "/members/" + column.name;
    const std::vector<double> values = table.column(column.name);
    file.write_rows(name, {rows}, {0, rows}, values);
    file.set_attribute(name, "meaning", column.meaning);
  }
  file.create_group("/errors");
  for (std::size_t row = 0; row < table.rows(); ++row)
    if (!table.error(row).empty())
      file.set_attribute("/errors", "member-" + std::to_string(row), table.error(row));
  replace_file(path, file.image());
}

}  // namespace poise::sweep
