//! Common parts of all servers: memory, logging, a metrics registry, serving until shutdown.

pub mod allocator;
pub mod api_page;
mod follow;
pub mod limits;
pub mod logging;
pub mod metrics;
mod openmetrics;
mod peer;
pub mod process;
mod refusals;
pub mod serve;
pub mod threads;

pub use follow::FollowedFile;
pub use serve::{BindError, Serving, Shutdown, Stop, bind, serve, serve_within};
pub use threads::Threads;
