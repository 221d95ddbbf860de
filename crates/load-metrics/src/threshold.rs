//! Threshold expressions: `p(95)<200`.

use std::time::Duration;

use crate::metric::Kind;
use crate::sink::Sink;

/// The aggregation of a sink.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregation {
    /// Sum of a counter.
    Count,
    /// The rate per second of a counter, or the share of a rate.
    Rate,
    /// Last value of a gauge.
    Value,
    /// Mean of a trend.
    Average,
    /// Minimum of a trend.
    Min,
    /// Maximum of a trend.
    Max,
    /// Median of a trend.
    Median,
    /// Percentile of a trend, 0 to 100.
    Percentile(f64),
}

/// The comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// A parsed threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    aggregation: Aggregation,
    /// The aggregation as written, for display.
    name: String,
    operator: Operator,
    limit: f64,
}

/// The reason why an expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// There is no comparison.
    #[error("failed parsing threshold expression \"{0}\"; reason: malformed threshold expression")]
    Malformed(String),
    /// The aggregation does not exist.
    #[error(
        "failed parsing threshold expression's \"{0}\" left hand side; reason: failed parsing method from expression"
    )]
    Aggregation(String),
    /// The text between the parentheses of `p()` is not a number.
    #[error(
        "failed parsing threshold expression's \"{expression}\" left hand side; reason: malformed percentile value; reason: strconv.ParseFloat: parsing \"{percentile}\": invalid syntax"
    )]
    Percentile {
        /// The expression as written.
        expression: String,
        /// The percentile as written.
        percentile: String,
    },
    /// The limit is not a number. The message is exactly k6's.
    #[error(
        "failed parsing threshold expresion's \"{expression}\" right hand side; reason: strconv.ParseFloat: parsing \"{limit}\": invalid syntax"
    )]
    Limit {
        /// The expression as written.
        expression: String,
        /// The limit as written.
        limit: String,
    },
    /// The metric does not have the aggregation.
    #[error(
        "invalid threshold \"{expression}\" applied on metric {metric}; reason: unsupported aggregation method {method} on metric of type {kind}. supported aggregation methods for this metric are: {supported}"
    )]
    Unsupported {
        /// The expression as written.
        expression: String,
        /// The metric.
        metric: String,
        /// The aggregation.
        method: String,
        /// The metric's type.
        kind: Kind,
        /// The aggregations that it has.
        supported: &'static str,
    },
    /// The metric does not exist.
    #[error("invalid threshold defined on {name}; reason: no metric name \"{name}\" found")]
    UnknownMetric {
        /// The name as written, with its tags.
        name: String,
    },
    /// The braces of a metric name do not match.
    #[error("{NO_NAME}, metric \"{0}\" has unmatched opening/close curly brace")]
    Braces(String),
    /// There is text after the braces of a metric name.
    #[error("{NO_NAME}, metric \"{0}\" lacks a closing curly brace in its last position")]
    LastBrace(String),
    /// A tag between the braces lacks a name or a value.
    #[error("{NO_NAME}, metric \"{0}\" tag expression is malformed")]
    Tag(String),
}

/// The error about the left side of an expression.
fn no_aggregation(text: &str, name: &str) -> ExpressionError {
    let percentile = name
        .strip_prefix("p(")
        .and_then(|rest| rest.strip_suffix(')'));
    match percentile.filter(|percentile| percentile.parse::<f64>().is_err()) {
        Some(percentile) => ExpressionError::Percentile {
            expression: text.to_owned(),
            percentile: percentile.to_owned(),
        },
        None => ExpressionError::Aggregation(text.to_owned()),
    }
}

/// The beginning of every error about a metric name.
const NO_NAME: &str =
    "unable to validate threshold expressions; reason: parsing metric name failed";

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// The text is not a valid expression.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        const OPERATORS: [(&str, Operator); 7] = [
            ("===", Operator::Equal),
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let find = |(sign, operator): &(&str, Operator)| {
            text.find(sign).map(|at| (at, sign.len(), *operator))
        };
        // The first operator that occurs, and the longest of those that begin there.
        let found = OPERATORS.iter().filter_map(find);
        let found = found.min_by_key(|(at, length, _)| (*at, usize::MAX - length));
        let (at, length, operator) =
            found.ok_or_else(|| ExpressionError::Malformed(text.to_owned()))?;
        let name = text[..at].trim().to_owned();
        let limit = text[at + length..].trim();
        if limit.is_empty() {
            return Err(ExpressionError::Malformed(text.to_owned()));
        }
        let aggregation = parse_aggregation(&name).ok_or_else(|| no_aggregation(text, &name))?;
        let read = limit.parse::<f64>().ok().filter(|limit| limit.is_finite());
        let limit = read.ok_or_else(|| ExpressionError::Limit {
            expression: text.to_owned(),
            limit: limit.to_owned(),
        })?;
        Ok(Self {
            aggregation,
            name,
            operator,
            limit,
        })
    }

    /// Rejects aggregations that a metric of this type does not have.
    ///
    /// # Errors
    /// The metric's type does not have the aggregation.
    pub fn check_kind(&self, text: &str, metric: &str, kind: Kind) -> Result<(), ExpressionError> {
        use Aggregation as A;
        let (fits, supported) = match kind {
            Kind::Counter => (
                matches!(self.aggregation, A::Count | A::Rate),
                "count, rate",
            ),
            Kind::Gauge => (matches!(self.aggregation, A::Value), "value"),
            Kind::Rate => (matches!(self.aggregation, A::Rate), "rate"),
            Kind::Trend => (
                !matches!(self.aggregation, A::Count | A::Rate | A::Value),
                "avg, min, max, med, p",
            ),
        };
        if fits {
            return Ok(());
        }
        Err(ExpressionError::Unsupported {
            expression: text.to_owned(),
            metric: metric.to_owned(),
            method: self.name.clone(),
            kind,
            supported,
        })
    }

    /// Evaluates the threshold on a sink (sorted, if it is a trend); rates of counters need `run_time`.
    pub fn observe(&self, sink: &Sink, run_time: Duration) -> f64 {
        self.aggregation.of(sink, run_time)
    }

    /// Whether a value meets the threshold.
    pub fn holds(&self, value: f64) -> bool {
        match self.operator {
            Operator::Less => value < self.limit,
            Operator::LessOrEqual => value <= self.limit,
            Operator::Greater => value > self.limit,
            Operator::GreaterOrEqual => value >= self.limit,
            Operator::Equal => value == self.limit,
            Operator::NotEqual => value != self.limit,
        }
    }

    /// The limit that the value is compared with.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// The aggregation.
    pub fn aggregation(&self) -> Aggregation {
        self.aggregation
    }

    /// The aggregation as written.
    pub fn aggregation_name(&self) -> &str {
        &self.name
    }
}

impl Aggregation {
    /// The aggregate of a sink (sorted, if it is a trend); 0 if the sink has no such value.
    pub fn of(self, sink: &Sink, run_time: Duration) -> f64 {
        match (self, sink) {
            (Self::Count, Sink::Counter(c)) => c.sum,
            (Self::Rate, Sink::Counter(c)) => c.per_second(run_time),
            (Self::Rate, Sink::Rate(r)) => r.rate(),
            (Self::Value, Sink::Gauge(g)) => g.value,
            (Self::Average, Sink::Trend(t)) => t.average(),
            (Self::Min, Sink::Trend(t)) => t.min(),
            (Self::Max, Sink::Trend(t)) => t.max(),
            (Self::Median, Sink::Trend(t)) => t.percentile(50.0),
            (Self::Percentile(p), Sink::Trend(t)) => t.percentile(p),
            (Self::Count, Sink::Trend(t)) => t.count() as f64,
            _ => 0.0,
        }
    }
}

/// Reads `avg`, `p(99.5)`, … and also `count`, which summaries accept for trends although thresholds do not.
pub fn parse_aggregation(name: &str) -> Option<Aggregation> {
    Some(match name {
        "count" => Aggregation::Count,
        "rate" => Aggregation::Rate,
        "value" => Aggregation::Value,
        "avg" => Aggregation::Average,
        "min" => Aggregation::Min,
        "max" => Aggregation::Max,
        "med" => Aggregation::Median,
        _ => {
            let inner = name.strip_prefix("p(")?.strip_suffix(')')?;
            let p: f64 = inner.trim().parse().ok()?;
            return (0.0..=100.0)
                .contains(&p)
                .then_some(Aggregation::Percentile(p));
        }
    })
}

/// The text between the braces of a metric selector, and its tags in the order in which they were written.
pub type Selector<'a> = (&'a str, Vec<(String, String)>);

/// Splits `metric{tag:value,…}` into the metric, the text between the braces, and the pairs. Quotes and spaces
/// around keys and values are ignored.
///
/// # Errors
/// The braces do not match, or a pair lacks a name or a value.
pub fn parse_selector(text: &str) -> Result<(&str, Option<Selector<'_>>), ExpressionError> {
    let Some((base, rest)) = text.split_once('{') else {
        let closes = text.contains('}');
        return if closes {
            Err(ExpressionError::Braces(text.to_owned()))
        } else {
            Ok((text, None))
        };
    };
    let broken = || match rest.contains('}') {
        true => ExpressionError::LastBrace(text.to_owned()),
        false => ExpressionError::Braces(text.to_owned()),
    };
    let inside = rest.trim_end().strip_suffix('}').ok_or_else(broken)?;
    let inside = inside.trim();
    let mut tags = Vec::new();
    for pair in split_outside_braces(inside) {
        let tag = pair.split_once(':');
        let tag = tag.map(|(key, value)| (unquote(key), unquote(value)));
        let tag = tag.filter(|(key, value)| !key.is_empty() && !value.is_empty());
        tags.push(tag.ok_or_else(|| ExpressionError::Tag(pair.trim().to_owned()))?);
    }
    Ok((base, Some((inside, tags))))
}

fn unquote(text: &str) -> String {
    text.trim()
        .trim_matches(|c| c == '"' || c == '\'')
        .to_owned()
}

/// Splits at commas outside braces, so that `name:http://${a,b}` stays whole.
fn split_outside_braces(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_u32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(values: &[f64]) -> Sink {
        let mut sink = Sink::new(Kind::Trend);
        values.iter().for_each(|value| sink.add(*value));
        sink.sort();
        sink
    }

    #[test]
    fn expressions_compare_what_the_sink_says() {
        let sink = trend(&[4.0, 1.0, 3.0, 2.0]);
        let cases = [
            ("avg<2.6", true),
            ("avg == 2.5", true),
            ("avg===2.5", true),
            ("med != 2.5", false),
            ("p(100)>=4", true),
            ("p(90)<3.69", false),
            ("p( 50 ) <= 2.5", true),
            ("min>1", false),
            ("max>-1e3", true),
        ];
        for (text, holds) in cases {
            let expression = Expression::parse(text).expect(text);
            let value = expression.observe(&sink, Duration::from_secs(1));
            assert_eq!(expression.holds(value), holds, "{text}, observed {value}");
        }
    }

    #[test]
    fn broken_expressions_are_refused() {
        for text in [
            "", "avg", "avg<", "<5", "rate>>1", "p(101)<1", "p(x)<1", "foo<1", "avg<1s",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn percentiles_interpolate_between_neighbours() {
        let Sink::Trend(sink) = trend(&[10.0, 20.0, 30.0]) else {
            unreachable!()
        };
        assert_eq!(sink.percentile(90.0), 28.0);
        assert_eq!(sink.percentile(0.0), 10.0);
    }

    #[test]
    fn selectors_keep_braces_inside_values() {
        let (base, inner) =
            parse_selector("http_reqs{name:http://${}.com, \"status\":'200'}").expect("valid");
        let (suffix, tags) = inner.expect("has tags");
        assert_eq!(
            (base, suffix),
            ("http_reqs", "name:http://${}.com, \"status\":'200'")
        );
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        assert_eq!(
            tags,
            [pair("name", "http://${}.com"), pair("status", "200")]
        );
        assert!(parse_selector("http_reqs{").is_err());
        assert!(parse_selector("http_reqs}").is_err());
    }
}
