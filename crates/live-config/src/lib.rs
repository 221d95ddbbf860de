//! Configurations: read with all their errors at once, merged, and changed while they are in force.
//!
//! [`read`] deserialises a value and reports every error with its path and a hint. [`merge()`] applies a patch.
//! [`Control`] holds the configuration in force and is the one place where it changes: by replacement, patch or
//! reset, under a revision, for a limited time; or by overlays, named patches that are added and removed
//! independently. [`Check`] gathers the errors of values out of their limits. [`strict`] refuses JSON with duplicate keys.

mod check;
mod control;
mod error;
mod layers;
mod mend;
mod merge;
pub mod read;
pub mod strict;
mod wording;

pub use check::Check;
pub use control::{Change, Compiled, Control, InFlight, Live, Moment, Refused};
pub use error::{ConfigError, ConfigErrors, Invalid, join};
pub use merge::merge;
