#include "poise_data/poise_data.hpp"

#include <cstdio>

#include "poise/petsc/session.hpp"

int main(int argc, char** argv) {
  return poise::run_program(argc, argv, [](poise::Session& session) {
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    const std::string text = poise::data::run_poise_data(MPI_COMM_WORLD, session.words(),
                                                         session.help_requested(), session.help_category());
    if (rank == 0) std::fputs(text.c_str(), stdout);
    return poise::ExitCode::done;
  });
}
