//! The threads on which VUs run.

/// The kind of the workers on which VUs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// This number of threads.
    Threads(usize),
    /// Local tasks on the caller's thread, for paused clocks.
    Local,
}
