//! Derives the figure and the direction of an alert from the requirement of a judgement.

use super::figure::{Figure, MetricFigure};
use crate::record::{Judgement, TestRecord, ThresholdSeries};

/// The relation of a bad figure to its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Above,
    AtLeast,
    Below,
    AtMost,
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

    /// The negation of a requirement. A figure that must be 0 and is never negative is bad above 0.
    fn against(asked: &str) -> Option<Self> {
        let begin = asked.find(['<', '>', '=', '!'])?;
        Some(match &asked.as_bytes()[begin..] {
            [b'<', b'=', ..] => Self::Above,
            [b'<', ..] => Self::AtLeast,
            [b'>', b'=', ..] => Self::Below,
            [b'>', ..] => Self::AtMost,
            [b'=', b'=', value @ ..] => {
                let value = value.strip_prefix(b"=").unwrap_or(value);
                let value = std::str::from_utf8(value).ok()?.split_whitespace().next()?;
                (value.parse::<f64>().ok()? == 0.0).then_some(Self::Above)?
            }
            _ => return None,
        })
    }
}

/// `None` if the seconds of the test do not show the figure.
pub fn read(test: &TestRecord, judgement: &Judgement) -> Option<(Figure, Operator)> {
    of_all_requests(judgement).or_else(|| of_a_metric(&test.asked, judgement))
}

fn of_all_requests(judgement: &Judgement) -> Option<(Figure, Operator)> {
    let asked = judgement.asked.as_str();
    let (first, rest) = asked.split_once(' ')?;
    let figure = match judgement.kind.as_str() {
        "grade" | "row" => Figure::named(first)?,
        // Alerts on another trend are based on a metric.
        "alert" if rest.starts_with("of ") => return None,
        // Alerts are silent up to their bound.
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

/// The requirement on a metric whose seconds are in the record.
fn of_a_metric(all: &[ThresholdSeries], judgement: &Judgement) -> Option<(Figure, Operator)> {
    let text = judgement.asked.as_str();
    if judgement.kind == "alert" {
        let (kind, rest) = text.split_once(" of ")?;
        let metric = rest.strip_suffix(" stays silent")?;
        let asked = all.iter().find(|asked| asked.metric == metric)?;
        let percent = kind.strip_prefix("latency_p")?.strip_suffix("_high")?;
        let (aggregate, _) = asked.seconds.get_key_value(&format!("p({percent})"))?;
        return Some((figure(asked, aggregate), Operator::Above));
    }
    let (asked, aggregate, rest) = match judgement.kind.as_str() {
        "check" => {
            let checks = all.iter().find(|asked| asked.metric == "checks")?;
            (checks, "rate", text)
        }
        "slo" => {
            let (component, rest) = text.split_once(' ')?;
            let of = |asked: &&ThresholdSeries| asked.component.as_deref() == Some(component);
            let percent = rest.split(' ').next()?.strip_prefix('p')?;
            let asked = all.iter().find(of)?;
            let wanted = format!("p({percent})");
            let (aggregate, _) = asked.seconds.get_key_value(&wanted)?;
            (asked, aggregate.as_str(), rest)
        }
        "threshold" => all.iter().find_map(|asked| {
            let rest = text.strip_prefix(&asked.metric)?.strip_prefix(' ')?;
            let is_asked = |aggregate: &&String| {
                let behind = rest.trim_start().strip_prefix(aggregate.as_str());
                behind.is_some_and(|behind| behind.trim_start().starts_with(['<', '>', '=', '!']))
            };
            Some((asked, asked.seconds.keys().find(is_asked)?.as_str(), rest))
        })?,
        _ => return None,
    };
    let operator = Operator::against(rest)?;
    let can_be = match asked.kind.as_str() {
        // The minimum of a counter is known only at the end, and follows from the offered load.
        "counter" => operator.is_above(),
        _ => asked.seconds.contains_key(aggregate),
    };
    let can_be = can_be && asked.tags.keys().all(|name| is_label(name));
    can_be.then(|| (figure(asked, aggregate), operator))
}

fn figure(asked: &ThresholdSeries, aggregate: &str) -> Figure {
    Figure::Metric(Box::new(MetricFigure {
        metric: asked.metric.clone(),
        base: asked.base.clone(),
        tags: asked.tags.clone(),
        kind: asked.kind.clone(),
        contains: asked.contains.clone(),
        aggregate: aggregate.to_owned(),
        unit: asked.unit(),
    }))
}

/// Whether a tag's name is a valid label in a query.
fn is_label(name: &str) -> bool {
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    begins_well
        && name
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || it == '_')
}
