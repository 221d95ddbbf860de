//! Executors and the lifecycle, on a paused clock.

mod closure;
mod executors;
mod pacing;
mod stalls;
