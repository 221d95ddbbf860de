//! The interface of a simulated server.

use live_config::{Compiled, Control};
use serde_json::Value;

use crate::journal::{Entry, Journal};

/// A simulated server: a mock detector, a target system. The admin API shows and changes it.
pub trait Simulated: Send + Sync + 'static {
    /// The compiled form of its configuration.
    type Compiled: Compiled;
    /// The journal entry of a request.
    type Entry: Entry;

    fn control(&self) -> &Control<Self::Compiled>;

    fn journal(&self) -> &Journal<Self::Entry>;

    /// The state in short, for `GET /__admin`.
    fn state(&self) -> Value;

    /// The JSON Schema of the configuration.
    fn schema(&self) -> Value;

    /// Resets everything except configuration and journal: streams of requests, stores and the like.
    fn begin_anew(&self);
}
