//! The threads on which VUs run.

/// The kind of the workers on which VUs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// On this many threads.
    Threads(usize),
    /// On the caller's thread, as local tasks: for clocks that are paused.
    Local,
}
