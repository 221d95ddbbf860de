//! The driver's measurements, stored so that any period of a test can be evaluated afterwards.
//!
//! A [`Recorder`] is an output of the driver. It stores the latency of each request by endpoint, class,
//! status, phase and second, and the counters beside them. Phases are separated by time, so one run serves
//! all phases; figures are computed from HDR histograms of three digits.

mod executed;
mod figures;
mod journal;
mod latency;
mod lines;
mod recent;
mod recorder;
mod store;
mod threshold_metrics;

pub use executed::{executed, length_s};
pub use figures::{Window, endpoints, figures, fill_endpoint_seconds, probes, second, seconds};
pub use journal::Written;
pub use latency::histogram;
pub use lines::StoreLine;
pub use recorder::Recorder;
pub use store::{Mark, Shared, Store};
pub use threshold_metrics::{Question, asked, asked_at};

/// Seconds since 1970: the clock of samples, phases and events.
pub fn unix_now() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}
