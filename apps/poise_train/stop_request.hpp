#pragma once

namespace poise {

/// Lets USR1 and TERM ask the program to write a checkpoint and stop (exit code 75). The handler only sets a
/// flag. Call before MPI starts, so that no early signal kills a rank, and again after PETSc has set handlers
/// of its own.
void listen_for_stop_requests();

/// Not collective. Whether this rank was asked to stop.
[[nodiscard]] bool stop_requested();

}  // namespace poise
