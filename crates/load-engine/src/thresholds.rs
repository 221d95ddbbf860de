//! Thresholds of a run: their metrics and their results.

use std::time::Duration;

use indexmap::IndexMap;
use load_metrics::threshold::{Expression, ExpressionError, parse_selector};
use load_metrics::{Aggregate, Filter, Kind, MetricId, Registry, Sink};

use crate::options::Threshold;
use crate::results::ThresholdResult;

/// All thresholds of a run.
#[derive(Debug, Default)]
pub struct Thresholds(Vec<Watch>);

/// One metric and its thresholds.
#[derive(Debug)]
pub struct Watch {
    /// The metric or sub-metric.
    pub metric: MetricId,
    /// Its name as written in the options.
    pub name: String,
    kind: Kind,
    /// Its thresholds.
    pub rules: Vec<Rule>,
}

/// One threshold.
#[derive(Debug)]
pub struct Rule {
    /// The expression as written.
    pub text: String,
    /// The parsed expression.
    pub expression: Expression,
    abort_on_fail: bool,
    delay: Duration,
    /// Whether it held at the last evaluation.
    pub ok: bool,
    /// The value that was compared.
    pub observed: f64,
}

/// The result of an evaluation.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Metrics with a threshold that does not hold.
    pub crossed: Vec<String>,
    /// Whether one of them aborts the run.
    pub abort: bool,
}

impl Thresholds {
    /// Parses all thresholds and registers the sub-metrics that they name.
    ///
    /// # Errors
    /// The first invalid one.
    pub fn new(
        configured: &IndexMap<String, Vec<Threshold>>,
        registry: &Registry,
    ) -> Result<Self, ExpressionError> {
        let watches = configured
            .iter()
            .map(|(name, rules)| Watch::new(name, rules, registry));
        Ok(Self(watches.collect::<Result<_, _>>()?))
    }

    /// All metrics with thresholds, in the options' order.
    pub fn watches(&self) -> &[Watch] {
        &self.0
    }

    /// Each threshold as it was last evaluated.
    pub fn results(&self, aggregate: &Aggregate) -> Vec<ThresholdResult> {
        let of = |watch: &Watch| {
            let has_samples = aggregate.sink(watch.metric).is_some();
            let result = |rule: &Rule| ThresholdResult {
                metric: watch.name.clone(),
                expression: rule.text.clone(),
                passed: rule.ok,
                observed: has_samples.then_some(rule.observed),
            };
            watch.rules.iter().map(result).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }

    /// Evaluates all thresholds during the run: metrics without samples are skipped.
    pub fn evaluate(&mut self, aggregate: &mut Aggregate, run_time: Duration) -> Verdict {
        let mut verdict = Verdict::default();
        for watch in &mut self.0 {
            if let Some(sink) = aggregate.sorted(watch.metric) {
                watch.evaluate(sink, run_time, &mut verdict);
            }
        }
        verdict
    }

    /// Evaluates all thresholds after the run: without samples, counters, trends and gauges are 0, and
    /// thresholds on rates hold.
    pub fn conclude(&mut self, aggregate: &mut Aggregate, run_time: Duration) -> Verdict {
        let mut verdict = Verdict::default();
        for watch in &mut self.0 {
            match aggregate.sorted(watch.metric) {
                Some(sink) => watch.evaluate(sink, run_time, &mut verdict),
                None if watch.kind == Kind::Rate => {}
                None => watch.evaluate(&Sink::new(watch.kind), run_time, &mut verdict),
            }
        }
        verdict.crossed.sort();
        verdict
    }
}

impl Watch {
    fn new(name: &str, rules: &[Threshold], registry: &Registry) -> Result<Self, ExpressionError> {
        let (base, selector) = parse_selector(name)?;
        let unknown = || ExpressionError::UnknownMetric {
            name: name.to_owned(),
        };
        let parent = registry.find(base).ok_or_else(unknown)?;
        let rules = rules.iter().map(|rule| Rule::new(rule, name, parent.kind));
        let rules = rules.collect::<Result<_, _>>()?;
        let mut name = name.to_owned();
        let metric = match selector {
            None => parent.id,
            Some((suffix, tags)) => {
                name = format!("{base}{{{suffix}}}");
                let suffix = suffix.to_owned();
                registry.register_filtered(Filter {
                    parent: parent.id,
                    suffix,
                    tags,
                })
            }
        };
        Ok(Self {
            metric,
            name,
            kind: parent.kind,
            rules,
        })
    }

    fn evaluate(&mut self, sink: &Sink, run_time: Duration, verdict: &mut Verdict) {
        let mut crossed = false;
        for rule in &mut self.rules {
            rule.observed = rule.expression.observe(sink, run_time);
            rule.ok = rule.expression.holds(rule.observed);
            crossed |= !rule.ok;
            verdict.abort |= !rule.ok && rule.abort_on_fail && run_time >= rule.delay;
        }
        if crossed {
            verdict.crossed.push(self.name.clone());
        }
    }
}

impl Rule {
    fn new(rule: &Threshold, metric: &str, kind: Kind) -> Result<Self, ExpressionError> {
        let expression = Expression::parse(&rule.expression)?;
        expression.check_kind(&rule.expression, metric, kind)?;
        Ok(Self {
            text: rule.expression.clone(),
            expression,
            abort_on_fail: rule.abort_on_fail,
            delay: rule.delay_abort_eval.unwrap_or_default(),
            ok: true,
            observed: 0.0,
        })
    }
}
