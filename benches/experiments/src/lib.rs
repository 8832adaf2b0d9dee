//! What is claimed of quality: programs that measure it, and what they share. Each writes or checks a page of `docs/`;
//! README.md here says which. What is claimed of speed is measured in the crate `benches`.

pub mod excess;
pub mod scoreboard;
