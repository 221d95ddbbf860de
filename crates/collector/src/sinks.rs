//! Sinks of metrics, to the wire and from it.

use load_metrics::{Contains, CounterSink, GaugeSink, Kind, RateSink, Sink, TrendParts, TrendSink};

use super::wire::Counted;

pub fn to_wire(sink: Sink) -> Counted {
    match sink {
        Sink::Counter(CounterSink { sum, samples }) => Counted::Counter { sum, samples },
        Sink::Gauge(GaugeSink {
            value,
            min,
            max,
            samples,
        }) => Counted::Gauge {
            value,
            min,
            max,
            samples,
        },
        Sink::Rate(RateSink { trues, total }) => Counted::Rate { trues, total },
        Sink::Trend(trend) => {
            let TrendParts {
                counts,
                sum,
                min,
                max,
            } = trend.into_parts();
            Counted::Trend {
                counts,
                sum,
                min,
                max,
            }
        }
    }
}

pub fn from_wire(counted: Counted) -> Sink {
    match counted {
        Counted::Counter { sum, samples } => Sink::Counter(CounterSink { sum, samples }),
        Counted::Gauge {
            value,
            min,
            max,
            samples,
        } => Sink::Gauge(GaugeSink {
            value,
            min,
            max,
            samples,
        }),
        Counted::Rate { trues, total } => Sink::Rate(RateSink { trues, total }),
        Counted::Trend {
            counts,
            sum,
            min,
            max,
        } => Sink::Trend(TrendSink::from_parts(TrendParts {
            counts,
            sum,
            min,
            max,
        })),
    }
}

/// Whether a received sink has the type of the metric.
pub const fn is_of_kind(sink: &Sink, kind: Kind) -> bool {
    matches!(
        (sink, kind),
        (Sink::Counter(_), Kind::Counter)
            | (Sink::Gauge(_), Kind::Gauge)
            | (Sink::Rate(_), Kind::Rate)
            | (Sink::Trend(_), Kind::Trend)
    )
}

/// A kind by its name.
pub fn kind(name: &str) -> Option<Kind> {
    [Kind::Counter, Kind::Gauge, Kind::Rate, Kind::Trend]
        .into_iter()
        .find(|kind| kind.to_string() == name)
}

/// The value type of a metric by its name.
pub fn contains(name: &str) -> Option<Contains> {
    [Contains::Default, Contains::Time, Contains::Data]
        .into_iter()
        .find(|contains| contains.to_string() == name)
}
