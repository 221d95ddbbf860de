//! What every server needs: memory, logging, a metrics registry, serving until shutdown.

pub mod allocator;
pub mod logging;
pub mod metrics;
mod openmetrics;
pub mod serve;
pub mod threads;

pub use serve::{BindError, Shutdown, Stop, bind, serve, serve_within};
pub use threads::Threads;
