#pragma once

namespace poise::compare {

/// Bytes that this process has allocated and not freed, as the C library counts them; NaN where it does not
/// (sanitizers replace it). Not collective.
[[nodiscard]] double heap_bytes();

}  // namespace poise::compare
