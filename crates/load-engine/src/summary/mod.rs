//! The result of a run, ready for display.

mod data;
mod export;
mod format;
mod machine;
mod text;

use std::sync::Arc;
use std::time::Duration;

use load_metrics::threshold::parse_aggregation;
use load_metrics::{
    Aggregate, CheckTally, Contains, Kind, Metric, Part, Registry, Sink, TrendSink,
};

pub use data::{Terminal, path_id, to_data};
pub use export::to_export;
pub use machine::{SummaryMetadata, to_machine};
pub use text::{Layout, Mode, Section, to_text};

use crate::results::{CheckResult, ThresholdResult};
use crate::thresholds::Thresholds;

/// The end-of-test summary.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Metrics with samples or thresholds, sub-metrics included, by name.
    pub metrics: Vec<MetricView>,
    /// Groups and checks.
    pub root: Group,
    /// All checks in order of their first sample, whatever their group.
    pub checks: Vec<Check>,
    /// Results of each scenario and group, if requested.
    pub parts: Vec<PartView>,
    /// How long the run took.
    pub run_time: Duration,
    /// The statistics of trends that are shown.
    pub stats: Vec<String>,
    /// ``, `s`, `ms` or `us`.
    pub time_unit: String,
    /// The result of `setup`, as JSON text.
    pub setup_data: Option<Arc<str>>,
}

/// A metric with its values.
#[derive(Debug, Clone)]
pub struct MetricView {
    /// `iterations` or `iterations{scenario:a}`.
    pub name: String,
    /// For a sub-metric: its parent and the text between the braces.
    pub filter: Option<(String, String)>,
    /// Its type.
    pub kind: Kind,
    /// Its unit.
    pub contains: Contains,
    /// Named values in order; for trends, those that the options select.
    pub values: Vec<(String, f64)>,
    /// Its thresholds.
    pub thresholds: Vec<ThresholdView>,
    /// Whether there were any samples.
    pub has_samples: bool,
    /// The values of a trend over the whole run, independent of the displayed statistics.
    pub trend: Option<TrendSink>,
}

/// A threshold and its result.
#[derive(Debug, Clone)]
pub struct ThresholdView {
    /// The expression as written.
    pub text: String,
    /// The aggregation, `p(95)`.
    pub aggregation: String,
    /// The value that was compared.
    pub observed: f64,
    /// Whether it held.
    pub ok: bool,
}

/// A group of checks; the root has no name.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its path, `::outer::inner`.
    pub path: String,
    /// Groups in it, in order of appearance.
    pub groups: Vec<Group>,
    /// Checks in it, in order of appearance.
    pub checks: Vec<Check>,
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// How often it passed.
    pub passes: u64,
    /// How often it failed.
    pub fails: u64,
}

/// The results of one scenario, or of one of its groups.
#[derive(Debug, Clone, Default)]
pub struct PartView {
    /// The scenario; empty for groups outside scenarios.
    pub scenario: String,
    /// The group's path; empty for the whole scenario.
    pub group: String,
    /// Its metrics.
    pub metrics: Vec<MetricView>,
    /// Its checks.
    pub checks: Vec<Check>,
}

/// The input of a summary.
#[derive(Debug)]
pub struct Source<'a> {
    /// The measurements.
    pub aggregate: &'a mut Aggregate,
    /// The metrics.
    pub registry: &'a Registry,
    /// The thresholds, as they were last evaluated.
    pub thresholds: &'a Thresholds,
    /// How long the run took.
    pub run_time: Duration,
    /// The statistics of trends that are shown.
    pub stats: Vec<String>,
    /// ``, `s`, `ms` or `us`.
    pub time_unit: String,
    /// Whether each scenario and group has a section.
    pub by_part: bool,
    /// The result of `setup`, as JSON text.
    pub setup_data: Option<Arc<str>>,
}

impl Summary {
    /// The measurements, ready for display.
    pub fn new(source: Source<'_>) -> Self {
        let Source {
            aggregate,
            registry,
            thresholds,
            run_time,
            stats,
            ..
        } = source;
        let all = registry.all();
        let mut metrics: Vec<MetricView> = Vec::new();
        for metric in &all {
            let watched = thresholds
                .watches()
                .iter()
                .find(|watch| watch.metric == metric.id);
            // k6 also shows the parent of a sub-metric.
            let is_parent = thresholds.watches().iter().any(|watch| {
                let watched = all.iter().find(|other| other.id == watch.metric);
                let filter = watched.and_then(|watched| watched.filter.as_ref());
                filter.is_some_and(|filter| filter.parent == metric.id)
            });
            let empty = Sink::new(metric.kind);
            let found = aggregate.sorted(metric.id);
            let has_samples = found.is_some();
            let sink = match found {
                Some(sink) => sink,
                None if watched.is_some() || is_parent => &empty,
                None => continue,
            };
            let mut view = view(metric, &all, values(sink, &stats, run_time));
            view.has_samples = has_samples;
            view.trend = match sink {
                Sink::Trend(trend) if has_samples => Some(trend.digest()),
                _ => None,
            };
            if let Some(watch) = watched {
                view.thresholds = watch.rules.iter().map(ThresholdView::new).collect();
            }
            metrics.push(view);
        }
        metrics.sort_by(|a, b| a.name.cmp(&b.name));
        let mut root = Group::default();
        let mut paths: Vec<String> = Vec::new();
        for tally in aggregate.checks() {
            paths.extend(root.add(tally));
        }
        let checks = in_order(&root, &paths);
        let parts = if source.by_part {
            part_views(aggregate, &all, &stats, run_time)
        } else {
            Vec::new()
        };
        let (time_unit, setup_data) = (source.time_unit, source.setup_data);
        Self {
            metrics,
            root,
            checks,
            parts,
            run_time,
            stats,
            time_unit,
            setup_data,
        }
    }

    /// Every threshold, for outputs that write a verdict.
    pub fn threshold_results(&self) -> Vec<ThresholdResult> {
        let of = |metric: &MetricView| {
            let name = metric.name.clone();
            let rules = metric.thresholds.clone().into_iter();
            rules.map(move |rule| ThresholdResult {
                metric: name.clone(),
                expression: rule.text,
                passed: rule.ok,
                observed: Some(rule.observed),
            })
        };
        self.metrics.iter().flat_map(of).collect()
    }

    /// Every check, for outputs that write a verdict.
    pub fn check_results(&self) -> Vec<CheckResult> {
        let of = |check: &Check| CheckResult {
            name: check.name.clone(),
            group: check
                .path
                .strip_suffix(&format!("::{}", check.name))
                .unwrap_or_default()
                .to_owned(),
            passes: check.passes,
            fails: check.fails,
        };
        self.checks.iter().map(of).collect()
    }

    /// The metric of that name.
    pub fn metric(&self, name: &str) -> Option<&MetricView> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}

impl MetricView {
    /// One of its values.
    pub fn value(&self, name: &str) -> f64 {
        self.values
            .iter()
            .find(|(known, _)| known == name)
            .map_or(0.0, |(_, value)| *value)
    }
}

impl ThresholdView {
    fn new(rule: &crate::thresholds::Rule) -> Self {
        Self {
            text: rule.text.clone(),
            aggregation: rule.expression.aggregation_name().to_owned(),
            observed: rule.observed,
            ok: rule.ok,
        }
    }
}

impl Group {
    /// All its checks; those of inner groups follow its own.
    pub fn all_checks(&self) -> Vec<&Check> {
        let inner = self.groups.iter().flat_map(Self::all_checks);
        self.checks.iter().chain(inner).collect()
    }

    /// Counts a check; returns its path when it is new.
    fn add(&mut self, tally: &CheckTally) -> Option<String> {
        let group = self.descend(tally.tags.get("group").unwrap_or_default());
        let name = tally.tags.get("check")?;
        let path = format!("{}::{name}", group.path);
        let (passes, fails) = (tally.rate.trues, tally.rate.total - tally.rate.trues);
        if let Some(known) = group.checks.iter_mut().find(|check| check.name == name) {
            known.passes += passes;
            known.fails += fails;
            return None;
        }
        let (name, shown) = (name.to_owned(), path.clone());
        group.checks.push(Check {
            name,
            path,
            passes,
            fails,
        });
        Some(shown)
    }

    fn descend(&mut self, path: &str) -> &mut Self {
        let mut group = self;
        for name in path.split("::").skip(1) {
            let at = group.groups.iter().position(|inner| inner.name == name);
            let at = at.unwrap_or_else(|| {
                let path = format!("{}::{name}", group.path);
                group.groups.push(Self {
                    name: name.to_owned(),
                    path,
                    ..Self::default()
                });
                group.groups.len() - 1
            });
            group = &mut group.groups[at];
        }
        group
    }
}

/// The checks of these paths, in their order.
fn in_order(root: &Group, paths: &[String]) -> Vec<Check> {
    let all = root.all_checks();
    let by_path = paths
        .iter()
        .filter_map(|path| all.iter().find(|check| check.path == *path));
    by_path.map(|check| (*check).clone()).collect()
}

fn view(metric: &Metric, all: &[Metric], values: Vec<(String, f64)>) -> MetricView {
    let filter = metric.filter.as_ref();
    MetricView {
        name: metric.name.clone(),
        filter: filter.map(|f| (all[f.parent.index()].name.clone(), f.suffix.clone())),
        kind: metric.kind,
        contains: metric.contains,
        values,
        thresholds: Vec::new(),
        has_samples: true,
        trend: None,
    }
}

fn values(sink: &Sink, stats: &[String], run_time: Duration) -> Vec<(String, f64)> {
    let named = |name: &str, value: f64| (name.to_owned(), value);
    match sink {
        Sink::Counter(c) => vec![named("count", c.sum), named("rate", c.per_second(run_time))],
        Sink::Gauge(g) => {
            vec![
                named("value", g.value),
                named("min", g.min),
                named("max", g.max),
            ]
        }
        Sink::Rate(r) => vec![
            named("rate", r.rate()),
            named("passes", r.trues as f64),
            named("fails", (r.total - r.trues) as f64),
        ],
        Sink::Trend(_) => {
            let of = |stat: &String| {
                let aggregation = parse_aggregation(stat)?;
                Some((stat.clone(), aggregation.of(sink, run_time)))
            };
            stats.iter().filter_map(of).collect()
        }
    }
}

/// The section as it is shown. A scenario named `default` has no section; its groups have their own.
fn shown(part: &Part) -> Part {
    let is_default = part.scenario == "default";
    Part {
        scenario: if is_default {
            String::new()
        } else {
            part.scenario.clone()
        },
        group: part.group.clone(),
    }
}

/// Every scenario, and every group of it.
fn part_views(
    aggregate: &Aggregate,
    all: &[Metric],
    stats: &[String],
    run_time: Duration,
) -> Vec<PartView> {
    let checks = aggregate.checks();
    let parts = aggregate.parts();
    let mut wanted: Vec<Part> = Vec::new();
    for part in parts.iter().map(|part| shown(part)) {
        let whole = Part {
            scenario: part.scenario.clone(),
            group: String::new(),
        };
        for part in [whole, part] {
            let named = !part.scenario.is_empty() || !part.group.is_empty();
            if named && !wanted.contains(&part) {
                wanted.push(part);
            }
        }
    }
    wanted.sort();
    wanted
        .into_iter()
        .map(|part| {
            let inside = |other: &Part| {
                let other = shown(other);
                other.scenario == part.scenario
                    && (part.group.is_empty() || other.group == part.group)
            };
            let members: Vec<&Part> = parts.iter().copied().filter(|p| inside(p)).collect();
            let metrics = all
                .iter()
                .filter(|metric| metric.filter.is_none())
                .filter_map(|metric| {
                    let sink = aggregate.of_parts(&members, metric.id)?;
                    Some(view(metric, all, values(&sink, stats, run_time)))
                });
            let mut metrics: Vec<MetricView> = metrics.collect();
            metrics.sort_by(|a, b| a.name.cmp(&b.name));
            let mut own = Group::default();
            let mine = checks.iter().filter(|t| inside(&Part::of(&t.tags)));
            let paths: Vec<String> = mine.filter_map(|tally| own.add(tally)).collect();
            let checks = in_order(&own, &paths);
            PartView {
                scenario: part.scenario,
                group: part.group,
                metrics,
                checks,
            }
        })
        .collect()
}
