//! Metric types, samples, tags, sinks and thresholds, with k6's meaning.
//!
//! The hot path is [`Recorder::record`] on a handle of one thread, without locks or allocations. Every thread
//! aggregates into its own sinks. [`Recorder::take_delta`] moves these aggregates to the thread that evaluates
//! thresholds, at the cost of swapping vectors.

mod aggregate;
pub mod builtin;
mod metric;
mod recorder;
mod registry;
mod sample;
mod sink;
mod tags;
pub mod threshold;
mod trend;

pub use aggregate::{Aggregate, Part};
pub use metric::{Contains, Filter, Kind, Metric, MetricId};
pub use recorder::{CheckTally, Delta, Recorder, RecorderConfig};
pub use registry::{RegisterError, Registry};
pub use sample::{Batch, BatchSink, Sample, UnixNanos};
pub use sink::{CounterSink, GaugeSink, RateSink, Sink};
pub use tags::{SystemTag, SystemTags, TagSet, Tags};
pub use trend::{TrendParts, TrendSink};
