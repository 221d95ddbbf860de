//! The figure and the side of a judgement's bound, read from its question.

use crate::record::Judgement;

/// A figure that each second of a test has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    Mean,
    P50,
    P95,
    P99,
    ErrorRatio,
    SuccessRatio,
    Cpu,
    Memory,
}

/// How a figure stands to a bound where it is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Figure {
    pub const ALL: [Self; 8] = [
        Self::Mean,
        Self::P50,
        Self::P95,
        Self::P99,
        Self::ErrorRatio,
        Self::SuccessRatio,
        Self::Cpu,
        Self::Memory,
    ];

    /// The series that a recording rule makes of it.
    pub const fn series(self) -> &'static str {
        match self {
            Self::Mean => "test:latency_ms:mean",
            Self::P50 => "test:latency_ms:p50",
            Self::P95 => "test:latency_ms:p95",
            Self::P99 => "test:latency_ms:p99",
            Self::ErrorRatio => "test:errors:ratio",
            Self::SuccessRatio => "test:successes:ratio",
            Self::Cpu => "target:cpu:ratio",
            Self::Memory => "target:memory:ratio",
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Mean => "Mean",
            Self::P50 => "P50",
            Self::P95 => "P95",
            Self::P99 => "P99",
            Self::ErrorRatio => "Errors",
            Self::SuccessRatio => "Successes",
            Self::Cpu => "Cpu",
            Self::Memory => "Memory",
        }
    }

    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Mean => "mean latency",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::ErrorRatio => "share of failed requests",
            Self::SuccessRatio => "share of successful requests",
            Self::Cpu => "use of the target's processor",
            Self::Memory => "use of the target's memory",
        }
    }

    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Mean | Self::P50 | Self::P95 | Self::P99 => "ms",
            _ => "",
        }
    }

    /// Whether it is the target's, not what clients see.
    pub const fn is_of_resources(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory)
    }

    /// By the names of questions; rates are left out, since they follow from the offered load.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "avg_ms" | "avg" => Self::Mean,
            "p50_ms" | "p50" | "p(50)" | "med" | "latency_p50_high" => Self::P50,
            "p95_ms" | "p95" | "p(95)" | "latency_p95_high" => Self::P95,
            "p99_ms" | "p99" | "p(99)" | "latency_p99_high" => Self::P99,
            "error_rate" | "error_rate_high" => Self::ErrorRatio,
            "success_rate" | "success" => Self::SuccessRatio,
            "cpu_ratio" | "cpu_usage_high" => Self::Cpu,
            "memory_ratio" | "memory_usage_high" => Self::Memory,
            _ => return None,
        })
    }
}

impl Operator {
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
        }
    }

    pub const fn is_above(self) -> bool {
        matches!(self, Self::Above | Self::AtLeast)
    }

    /// The contrary of what is asked for.
    fn against(asked: &str) -> Option<Self> {
        let begin = asked.find(['<', '>'])?;
        Some(match &asked.as_bytes()[begin..] {
            [b'<', b'=', ..] => Self::Above,
            [b'<', ..] => Self::AtLeast,
            [b'>', b'=', ..] => Self::Below,
            _ => Self::AtMost,
        })
    }
}

/// `None` for what is not about such a figure of all requests.
pub fn read(judgement: &Judgement) -> Option<(Figure, Operator)> {
    let asked = judgement.asked.as_str();
    let (first, rest) = asked.split_once(' ')?;
    let figure = match judgement.kind.as_str() {
        "grade" | "row" => Figure::named(first)?,
        // What they watch is silent up to its bound.
        "alert" => return Some((Figure::named(first)?, Operator::Above)),
        "slo" if first == "api" => Figure::named(rest.split(' ').next()?)?,
        "threshold" => match (first, rest.split(['<', '>', '=', '!']).next()?.trim()) {
            ("http_req_failed", "rate") => Figure::ErrorRatio,
            ("http_req_duration", aggregate) => Figure::named(aggregate)?,
            _ => return None,
        },
        _ => return None,
    };
    Some((figure, Operator::against(asked)?))
}
