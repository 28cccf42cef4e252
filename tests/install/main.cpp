// A separate program that uses Poise: a matrix in row blocks over all ranks, times a block of states.
#include <cstdio>
#include <vector>

#include "poise/base/options.hpp"
#include "poise/base/process_grid.hpp"
#include "poise/linalg/row_block_matrix.hpp"
#include "poise/petsc/session.hpp"

int main(int argc, char** argv) {
  return poise::run_program(argc, argv, [](poise::Session& session) {
    poise::Options options;
    const poise::Index m = options.integer("m", 5, {1, 1000}, "state width");
    if (session.help_requested()) {
      std::puts(options.help("uses_poise: m times the average of 1 to m").c_str());
      return poise::ExitCode::done;
    }
    options.reject_unknown();

    // Every entry of the matrix is 1, so every row of the product is 1 + 2 + ... + m.
    const poise::ProcessGrid grid(MPI_COMM_WORLD);
    poise::RowBlockMatrix matrix(grid.world(), grid.world_offsets(m));
    for (poise::Index i = 0; i < matrix.local_rows() * m; ++i) matrix.rows()[i] = 1.0;
    std::vector<double> states, product(static_cast<std::size_t>(matrix.local_rows()));
    for (poise::Index i = 0; i < matrix.local_rows(); ++i)
      states.push_back(static_cast<double>(matrix.row_begin() + i + 1));
    matrix.multiply(1, states.data(), product.data());

    const double expected = 0.5 * static_cast<double>(m * (m + 1));
    for (const double row : product)
      if (row != expected) throw poise::failure("a row of the product is " + poise::to_text(row));
    if (grid.rank() == 0) std::printf("%d ranks: every row is %g\n", grid.size(), expected);
    return poise::ExitCode::done;
  });
}
