//! The thresholds of the script, judged on the merged measurements of all runners.

use std::sync::Arc;
use std::time::Duration;

use load_engine::options::json;
use load_engine::summary::{Source, Summary};
use load_engine::thresholds::Thresholds;
use load_engine::{CheckResult, ThresholdResult};
use load_metrics::{Aggregate, CheckTally, Delta, RateSink, Registry, Sink, Tags, UnixNanos};
use serde_json::json;

use super::runner::Runner;
use super::sinks;
use super::wire::{Joining, SummaryOptions};

/// Thresholds and their metrics.
#[derive(Debug)]
pub struct Judge {
    registry: Registry,
    thresholds: Thresholds,
}

/// Why thresholds cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    #[error("the thresholds cannot be read: {0}")]
    Thresholds(String),
    #[error("the metric {0} cannot be registered")]
    Metric(String),
}

/// The facts that a summary shows beside the measurements.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    pub run_time: Duration,
    pub options: &'a SummaryOptions,
    pub setup_data: Option<&'a serde_json::Value>,
}

/// The state of the thresholds at one time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judged {
    pub thresholds: Vec<ThresholdResult>,
    /// The first crossed threshold with `abortOnFail`.
    pub abort: Option<String>,
}

impl Judge {
    /// # Errors
    /// The thresholds are not valid.
    pub fn new(joining: &Joining) -> Result<Self, JudgeError> {
        let registry = Registry::new();
        for metric in &joining.metrics {
            let unknown = || JudgeError::Metric(metric.name.clone());
            let kind = sinks::kind(&metric.kind).ok_or_else(unknown)?;
            let contains = sinks::contains(&metric.contains).ok_or_else(unknown)?;
            registry
                .register(&metric.name, kind, contains)
                .map_err(|_| unknown())?;
        }
        let thresholds = |error: &dyn std::fmt::Display| JudgeError::Thresholds(error.to_string());
        let options = match &joining.thresholds {
            serde_json::Value::Null => json!({}),
            configured => json!({ "thresholds": configured }),
        };
        let options = json::read(&options)
            .map_err(|error| thresholds(&error))?
            .options;
        let configured = options.thresholds.unwrap_or_default();
        let thresholds =
            Thresholds::new(&configured, &registry).map_err(|error| thresholds(&error))?;
        Ok(Self {
            registry,
            thresholds,
        })
    }

    /// Whether a metric's sink has the expected type.
    pub fn fits(&self, metric: &str, sink: &Sink) -> bool {
        let known = self.registry.find(metric);
        known.is_none_or(|known| sinks::is_of_kind(sink, known.kind))
    }

    /// Merges all runners, in the order of their names, and evaluates the thresholds.
    pub fn judge<'a>(
        &mut self,
        runners: impl Iterator<Item = &'a Runner>,
        run_time: Duration,
        is_over: bool,
    ) -> (Judged, Aggregate) {
        let mut aggregate = Aggregate::bounded();
        let mut users: Vec<(String, Sink)> = Vec::new();
        for runner in runners {
            let mut sinks = Vec::new();
            for (name, sink) in &runner.sinks {
                let Some(metric) = self.registry.find(name) else {
                    continue;
                };
                match sink {
                    // The number of users is the sum over all runners.
                    Sink::Gauge(_) => users.push((name.clone(), sink.clone())),
                    sink => sinks.push((metric.id, sink.clone())),
                }
            }
            aggregate.absorb(Delta {
                sinks,
                ..Delta::default()
            });
        }
        self.absorb_gauges(&mut aggregate, users);
        let verdict = if is_over {
            self.thresholds.conclude(&mut aggregate, run_time)
        } else {
            self.thresholds.evaluate(&mut aggregate, run_time)
        };
        let mut judged = Judged {
            thresholds: self.thresholds.results(&aggregate),
            abort: None,
        };
        if verdict.abort {
            let crossed = judged.thresholds.iter().find(|result| !result.passed);
            judged.abort =
                crossed.map(|result| format!("{}: {}", result.metric, result.expression));
        }
        (judged, aggregate)
    }

    /// Gauges of several runners: `vus` and `vus_max` are summed; others have the extremes and the last
    /// runner's value.
    fn absorb_gauges(&self, aggregate: &mut Aggregate, gauges: Vec<(String, Sink)>) {
        let mut sums: Vec<(String, Sink)> = Vec::new();
        for (name, sink) in gauges {
            match sums.iter_mut().find(|(known, _)| *known == name) {
                None => sums.push((name, sink)),
                Some((_, known)) => match (known, sink) {
                    (Sink::Gauge(sum), Sink::Gauge(more)) if name == "vus" || name == "vus_max" => {
                        sum.value += more.value;
                        sum.min += more.min;
                        sum.max += more.max;
                        sum.samples += more.samples;
                    }
                    (known, sink) => known.merge(sink),
                },
            }
        }
        let sinks = sums
            .into_iter()
            .filter_map(|(name, sink)| Some((self.registry.find(&name)?.id, sink)));
        aggregate.absorb(Delta {
            sinks: sinks.collect(),
            ..Delta::default()
        });
    }

    /// The data of the merged summary.
    pub fn summary(
        &self,
        aggregate: &mut Aggregate,
        checks: &[CheckResult],
        ending: Ending<'_>,
    ) -> Summary {
        let tally = |(place, check): (usize, &CheckResult)| {
            let mut tags = Tags::default();
            tags.set("check", &check.name);
            tags.set("group", &check.group);
            CheckTally {
                tags: Arc::new(tags),
                first_at: UnixNanos(place as i64),
                rate: RateSink {
                    trues: check.passes,
                    total: check.passes + check.fails,
                },
            }
        };
        aggregate.absorb(Delta {
            checks: checks.iter().enumerate().map(tally).collect(),
            ..Delta::default()
        });
        let setup_data = ending.setup_data.filter(|data| !data.is_null());
        Summary::new(Source {
            aggregate,
            registry: &self.registry,
            thresholds: &self.thresholds,
            run_time: ending.run_time,
            stats: ending.options.trend_stats.clone(),
            time_unit: ending.options.time_unit.clone(),
            by_part: false,
            setup_data: setup_data.map(|data| data.to_string().into()),
        })
    }

    /// The metrics that were measured, with their aggregates by name.
    pub fn metrics(
        &self,
        aggregate: &mut Aggregate,
        run_time: Duration,
    ) -> Vec<(String, Vec<(String, f64)>)> {
        let mut found = Vec::new();
        for metric in self.registry.all() {
            let Some(sink) = aggregate.sorted(metric.id) else {
                continue;
            };
            found.push((metric.name, values(sink, run_time)));
        }
        found
    }
}

fn values(sink: &Sink, run_time: Duration) -> Vec<(String, f64)> {
    let named = |values: &[(&str, f64)]| {
        values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect()
    };
    match sink {
        Sink::Counter(sink) => named(&[("count", sink.sum), ("rate", sink.per_second(run_time))]),
        Sink::Gauge(sink) => named(&[("value", sink.value), ("min", sink.min), ("max", sink.max)]),
        Sink::Rate(sink) => named(&[
            ("rate", sink.rate()),
            ("passes", sink.trues as f64),
            ("fails", (sink.total - sink.trues) as f64),
        ]),
        Sink::Trend(sink) => named(&[
            ("count", sink.count() as f64),
            ("avg", sink.average()),
            ("min", sink.min()),
            ("med", sink.percentile(50.0)),
            ("p(90)", sink.percentile(90.0)),
            ("p(95)", sink.percentile(95.0)),
            ("p(99)", sink.percentile(99.0)),
            ("max", sink.max()),
        ]),
    }
}

/// The checks of all runners, by group and name.
pub fn checks<'a>(runners: impl Iterator<Item = &'a Runner>) -> Vec<CheckResult> {
    let mut all: Vec<CheckResult> = Vec::new();
    let ended = runners.filter_map(|runner| runner.ended.as_ref());
    for check in ended.flat_map(|ended| &ended.checks) {
        let is_same =
            |known: &&mut CheckResult| (&known.name, &known.group) == (&check.name, &check.group);
        match all.iter_mut().find(is_same) {
            Some(known) => {
                known.passes += check.passes;
                known.fails += check.fails;
            }
            None => all.push(CheckResult {
                name: check.name.clone(),
                group: check.group.clone(),
                passes: check.passes,
                fails: check.fails,
            }),
        }
    }
    all
}
