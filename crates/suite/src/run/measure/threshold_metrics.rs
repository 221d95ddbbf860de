//! Series of the metrics that thresholds use, in addition to all requests, by second.
//!
//! The values of a second are stored while its samples may arrive; then only their aggregates are, so that the memory
//! does not grow with the number of samples.

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;
use load_engine::options::Threshold;
use load_metrics::threshold::{Aggregation, Expression, parse_aggregation, parse_selector};
use load_metrics::{Contains, Kind, Registry, Sink, Tags};
use report::record::ThresholdSeries;

use super::store::Store;

/// Values that arrive this many seconds late are left out.
const LATEST: u32 = 30;
/// Maximum number of metrics and sub-metrics.
const MOST_METRICS: usize = 100;
/// Maximum number of values in a record.
const MOST_VALUES: usize = 500_000;

/// A query that is not one of the script's thresholds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub metric: String,
    /// `p(95)`, `rate`.
    pub aggregate: String,
    /// The component whose service-level row needs it.
    pub component: Option<String>,
}

/// The measurements of the queried metrics.
#[derive(Debug, Default)]
pub struct ThresholdMetrics {
    series: IndexMap<String, Series>,
    newest: u32,
    /// The aggregates of completed seconds, by metric.
    over: HashMap<String, BTreeMap<u32, Vec<f64>>>,
}

#[derive(Debug)]
struct Series {
    base: String,
    tags: Vec<(String, String)>,
    kind: Kind,
    contains: Contains,
    component: Option<String>,
    aggregates: IndexMap<String, Aggregation>,
    /// Seconds whose samples may still arrive.
    open: BTreeMap<u32, Sink>,
}

/// The samples of a run that are used.
#[derive(Debug, Default)]
pub struct Watched {
    /// By the index of the metric.
    by_metric: Vec<Vec<Watch>>,
}

/// One series that is used.
#[derive(Debug)]
struct Watch {
    /// The tags that a sample must have.
    tags: Vec<(String, String)>,
    /// The index of the series.
    place: usize,
}

impl Watched {
    /// Watches the metrics of a run's thresholds and of these queries.
    pub fn new<'a>(
        store: &mut ThresholdMetrics,
        registry: &Registry,
        thresholds: impl Iterator<Item = (&'a String, &'a Vec<Threshold>)>,
        questions: &[Question],
    ) -> Self {
        let mut watched = Self::default();
        for (metric, rules) in thresholds {
            let expressions = rules
                .iter()
                .filter_map(|it| Expression::parse(&it.expression).ok());
            for expression in expressions {
                let question = Question {
                    metric: metric.clone(),
                    aggregate: expression.aggregation_name().to_owned(),
                    component: None,
                };
                watched.watch(store, registry, &question);
            }
        }
        for question in questions {
            watched.watch(store, registry, question);
        }
        watched
    }

    fn watch(&mut self, store: &mut ThresholdMetrics, registry: &Registry, question: &Question) {
        let Ok((base, selector)) = parse_selector(&question.metric) else {
            return;
        };
        let tags = selector.map_or(Vec::new(), |(_, tags)| tags);
        let (Some(metric), Some(aggregation)) =
            (registry.find(base), parse_aggregation(&question.aggregate))
        else {
            return;
        };
        if tags.is_empty() && is_of_all_requests(base, aggregation) {
            return;
        }
        let place = store.place(question, || Series {
            base: base.to_owned(),
            tags: tags.clone(),
            kind: metric.kind,
            contains: metric.contains,
            component: None,
            aggregates: IndexMap::new(),
            open: BTreeMap::new(),
        });
        let Some(place) = place else { return };
        let known = store.series[place]
            .aggregates
            .entry(question.aggregate.clone());
        known.or_insert(aggregation);
        let index = metric.id.index();
        if self.by_metric.len() <= index {
            self.by_metric.resize_with(index + 1, Vec::new);
        }
        if !self.by_metric[index].iter().any(|it| it.place == place) {
            self.by_metric[index].push(Watch { tags, place });
        }
    }

    /// Whether a metric is used.
    pub fn has(&self, metric: usize) -> bool {
        self.by_metric.get(metric).is_some_and(|it| !it.is_empty())
    }

    /// The series that a sample belongs to.
    pub fn of<'a>(&'a self, metric: usize, tags: &'a Tags) -> impl Iterator<Item = usize> + 'a {
        let of_metric = self.by_metric.get(metric).into_iter().flatten();
        let has = |(name, value): &(String, String)| tags.get(name) == Some(value.as_str());
        of_metric
            .filter(move |watch| watch.tags.iter().all(has))
            .map(|watch| watch.place)
    }
}

/// Whether every second of a record contains the figure anyway.
fn is_of_all_requests(base: &str, aggregation: Aggregation) -> bool {
    match (base, aggregation) {
        ("http_req_failed", _)
        | ("http_req_duration", Aggregation::Average | Aggregation::Median) => true,
        ("http_req_duration", Aggregation::Percentile(percent)) => {
            [50.0, 95.0, 99.0].contains(&percent)
        }
        _ => false,
    }
}

impl ThresholdMetrics {
    /// The index of the series of a query; `None` beyond the maximum.
    fn place(&mut self, question: &Question, new: impl FnOnce() -> Series) -> Option<usize> {
        if self.series.len() >= MOST_METRICS && !self.series.contains_key(&question.metric) {
            return None;
        }
        let series = self.series.entry(question.metric.clone());
        let place = series.index();
        let series = series.or_insert_with(new);
        if let Some(component) = &question.component {
            series.component = Some(component.clone());
        }
        Some(place)
    }

    pub(super) fn add(&mut self, place: usize, second: u32, value: f64) {
        if second + LATEST < self.newest {
            return;
        }
        if second > self.newest {
            self.newest = second;
            self.end_before(second.saturating_sub(LATEST));
        }
        let series = &mut self.series[place];
        let sink = series.open.entry(second);
        sink.or_insert_with(|| Sink::new(series.kind)).add(value);
    }

    fn end_before(&mut self, second: u32) {
        for (metric, series) in &mut self.series {
            let later = series.open.split_off(&second);
            let ended = std::mem::replace(&mut series.open, later);
            if ended.is_empty() {
                continue;
            }
            let over = self.over.entry(metric.clone()).or_default();
            for (at, sink) in ended {
                over.insert(at, series.raw(sink));
            }
        }
    }

    /// The aggregates of completed seconds that are not in `written` yet.
    pub(super) fn news(&self, written: &mut HashMap<String, u32>) -> Vec<(String, u32, Vec<f64>)> {
        let mut news = Vec::new();
        for metric in self.series.keys() {
            let Some(over) = self.over.get(metric) else {
                continue;
            };
            let next = written.entry(metric.clone()).or_default();
            for (second, values) in over.range(*next..) {
                news.push((metric.clone(), *second, values.clone()));
                *next = second + 1;
            }
        }
        news
    }

    /// Restores the values that [`Self::news`] returned in another process.
    pub(super) fn replay(&mut self, metric: String, second: u32, values: Vec<f64>) {
        self.over.entry(metric).or_default().insert(second, values);
    }

    /// An aggregate of a trend in one second.
    fn at(&self, metric: &str, aggregate: &str, second: u32) -> Option<f64> {
        let series = self.series.get(metric)?;
        let place = series.aggregates.get_index_of(aggregate)?;
        let over = self.over.get(metric).and_then(|it| it.get(&second));
        let open = || Some(series.raw(series.open.get(&second)?.clone()));
        let values = over.cloned().or_else(open)?;
        finite(values.get(place).copied())
    }

    /// The series for the record of a test of this length.
    fn shown(&self, length: u32) -> Vec<ThresholdSeries> {
        let mut room = MOST_VALUES;
        let mut all = Vec::new();
        for (metric, series) in &self.series {
            let size = series.aggregates.len() * length as usize;
            if size > room {
                continue;
            }
            room -= size;
            let over = self.over.get(metric);
            let mut raw: BTreeMap<u32, Vec<f64>> = over.cloned().unwrap_or_default();
            let open = series.open.iter();
            raw.extend(open.map(|(second, sink)| (*second, series.raw(sink.clone()))));
            all.push(ThresholdSeries {
                metric: metric.clone(),
                base: series.base.clone(),
                tags: series.tags.iter().cloned().collect(),
                kind: series.kind.to_string(),
                contains: series.contains.to_string(),
                component: series.component.clone(),
                seconds: series.filled(&raw, length),
            });
        }
        all
    }
}

impl Series {
    /// A counter's sum, a gauge's last value, a rate's share, or each aggregate of a trend.
    fn raw(&self, mut sink: Sink) -> Vec<f64> {
        const SECOND: std::time::Duration = std::time::Duration::from_secs(1);
        sink.sort();
        match &sink {
            Sink::Counter(counter) => vec![counter.sum],
            Sink::Gauge(gauge) => vec![gauge.value],
            Sink::Rate(rate) => vec![rate.rate()],
            Sink::Trend(_) => {
                let aggregates = self.aggregates.values();
                aggregates.map(|it| it.of(&sink, SECOND)).collect()
            }
        }
    }

    fn filled(
        &self,
        raw: &BTreeMap<u32, Vec<f64>>,
        length: u32,
    ) -> IndexMap<String, Vec<Option<f64>>> {
        let of = |place: usize, aggregation: Aggregation| -> Vec<Option<f64>> {
            let mut so_far = None;
            let at = |second: u32| {
                let values = raw.get(&second);
                let value = |place: usize| values.and_then(|it| it.get(place)).copied();
                match self.kind {
                    Kind::Trend => value(place),
                    Kind::Rate => value(0),
                    Kind::Gauge => {
                        so_far = value(0).or(so_far);
                        so_far
                    }
                    Kind::Counter if aggregation == Aggregation::Count => {
                        so_far = Some(so_far.unwrap_or(0.0) + value(0).unwrap_or(0.0));
                        so_far
                    }
                    Kind::Counter => Some(value(0).unwrap_or(0.0)),
                }
            };
            (0..length).map(at).map(finite).collect()
        };
        let aggregates = self.aggregates.iter().enumerate();
        aggregates
            .map(|(place, (name, aggregation))| (name.clone(), of(place, *aggregation)))
            .collect()
    }
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// An aggregate of a trend in one second.
pub fn asked_at(store: &Store, metric: &str, aggregate: &str, second: u32) -> Option<f64> {
    store.asked.at(metric, aggregate, second)
}

/// The series of thresholds, for the record of a test of this length.
pub fn asked(store: &Store, duration_s: f64) -> Vec<ThresholdSeries> {
    store.asked.shown(duration_s.max(0.0).ceil() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(metric: &str, aggregate: &str) -> Question {
        Question {
            metric: metric.to_owned(),
            aggregate: aggregate.to_owned(),
            component: None,
        }
    }

    /// A counter, a rate, a trend, and a sub-metric of a trend by a tag.
    fn registry() -> Registry {
        let registry = Registry::new();
        for (name, kind) in [
            ("orders", Kind::Counter),
            ("good", Kind::Rate),
            ("wait", Kind::Trend),
            ("level", Kind::Gauge),
        ] {
            let contains = match kind {
                Kind::Trend => Contains::Time,
                _ => Contains::Default,
            };
            registry.register(name, kind, contains).expect("a new name");
        }
        registry
    }

    fn watched(store: &mut ThresholdMetrics, registry: &Registry) -> Watched {
        let questions = [
            question("orders", "count"),
            question("orders", "rate"),
            question("good", "rate"),
            question("wait", "max"),
            question("wait{name:GET /a}", "p(50)"),
            question("level", "value"),
            question("http_req_duration", "p(95)"),
            question("unknown", "rate"),
        ];
        Watched::new(store, registry, std::iter::empty(), &questions)
    }

    fn add(
        store: &mut ThresholdMetrics,
        (registry, watched): (&Registry, &Watched),
        sample: (&str, u32, f64),
        name: &str,
    ) {
        let (metric, second, value) = sample;
        let id = registry.find(metric).expect("it is registered").id.index();
        let mut tags = Tags::default();
        tags.set("name", name);
        let places: Vec<usize> = watched.of(id, &tags).collect();
        places
            .into_iter()
            .for_each(|place| store.add(place, second, value));
    }

    fn seconds(
        store: &ThresholdMetrics,
        metric: &str,
        aggregate: &str,
        length: u32,
    ) -> Vec<Option<f64>> {
        let shown = store.shown(length);
        let found = shown.iter().find(|asked| asked.metric == metric);
        found.expect("it is asked").seconds[aggregate].clone()
    }

    fn filled() -> ThresholdMetrics {
        let registry = registry();
        let mut store = ThresholdMetrics::default();
        let watched = watched(&mut store, &registry);
        let of = (&registry, &watched);
        for (metric, second, value, name) in [
            ("orders", 0, 2.0, ""),
            ("orders", 2, 3.0, ""),
            ("good", 1, 1.0, ""),
            ("good", 1, 0.0, ""),
            ("wait", 0, 5.0, "GET /a"),
            ("wait", 0, 9.0, "GET /b"),
            ("level", 1, 7.0, ""),
            ("http_req_duration", 0, 1.0, ""),
        ] {
            add(&mut store, of, (metric, second, value), name);
        }
        store
    }

    #[test]
    fn each_kind_of_metric_has_its_seconds() {
        let store = filled();
        let check = |metric: &str, aggregate: &str, expected: [Option<f64>; 4]| {
            assert_eq!(seconds(&store, metric, aggregate, 4), expected, "{metric}");
        };
        check(
            "orders",
            "count",
            [Some(2.0), Some(2.0), Some(5.0), Some(5.0)],
        );
        check(
            "orders",
            "rate",
            [Some(2.0), Some(0.0), Some(3.0), Some(0.0)],
        );
        check("good", "rate", [None, Some(0.5), None, None]);
        check("wait", "max", [Some(9.0), None, None, None]);
        check("wait{name:GET /a}", "p(50)", [Some(5.0), None, None, None]);
        check("level", "value", [None, Some(7.0), Some(7.0), Some(7.0)]);
        // Seconds of all requests are in the record anyway, and metrics without samples have no series.
        assert_eq!(store.shown(4).len(), 5);
        assert_eq!(store.shown(4)[2].unit(), "ms");
    }

    #[test]
    fn seconds_that_are_over_are_read_back_from_the_journal() {
        let registry = registry();
        let mut before = filled();
        let watches = watched(&mut before, &registry);
        add(&mut before, (&registry, &watches), ("orders", 100, 1.0), "");
        let mut written = HashMap::new();
        let news = before.news(&mut written);
        assert!(!news.is_empty());
        assert_eq!(before.news(&mut written), []);
        let mut after = ThresholdMetrics::default();
        for (metric, second, values) in news {
            after.replay(metric, second, values);
        }
        watched(&mut after, &registry);
        for (metric, aggregate) in [("orders", "count"), ("good", "rate"), ("wait", "max")] {
            let read = seconds(&after, metric, aggregate, 50);
            assert_eq!(read, seconds(&before, metric, aggregate, 50), "{metric}");
        }
    }

    #[test]
    fn very_late_samples_do_not_change_completed_seconds() {
        let registry = registry();
        let mut store = ThresholdMetrics::default();
        let watched = watched(&mut store, &registry);
        let of = (&registry, &watched);
        add(&mut store, of, ("orders", 0, 1.0), "");
        add(&mut store, of, ("orders", 60, 1.0), "");
        add(&mut store, of, ("orders", 0, 1.0), "");
        add(&mut store, of, ("orders", 40, 1.0), "");
        let rate = seconds(&store, "orders", "rate", 61);
        assert_eq!(
            (rate[0], rate[40], rate[60]),
            (Some(1.0), Some(1.0), Some(1.0))
        );
    }
}
