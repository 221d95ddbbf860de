//! What every server needs: logging, a metrics registry, serving until shutdown.

pub mod logging;
pub mod metrics;
mod openmetrics;
pub mod serve;

pub use serve::{BindError, Shutdown, bind, serve, serve_within};
