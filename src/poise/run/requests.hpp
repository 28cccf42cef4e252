#pragma once

namespace poise {

/// Lets TERM, INT (Ctrl-C), HUP (a terminal that closes), XCPU and USR1 ask the program to write a checkpoint
/// and stop (exit code 75), and USR2 to write one and go on. A second INT ends the program at once. The
/// handlers only set flags. Call before MPI starts, so that no early signal kills a rank.
void listen_for_requests();

/// Not collective. Whether this rank was asked to stop.
[[nodiscard]] bool stop_requested();
/// Not collective. Whether this rank was asked for a checkpoint since the last call.
[[nodiscard]] bool checkpoint_requested();

}  // namespace poise
