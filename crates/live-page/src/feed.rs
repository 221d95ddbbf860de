//! The output of the driver that fills a live run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use analysis::order_interval::rank_interval;
use analysis::proportion::proportion_interval;
use load_engine::thresholds::Thresholds;
use load_metrics::threshold::Aggregation;
use load_metrics::{
    Aggregate, Contains, Delta, Kind, Metric, MetricId, Registry, Sample, Sink, Tags, builtin,
};
use load_outputs::{Output, OutputError, RunEnd, Setup};
use report::record::{Judgement, Standing};

use super::live_run::{LiveRun, Phase, Stage};
use super::measured::Request;
use super::request::{Tagged, is_beside_the_load};

/// Confidence of intervals.
const CONFIDENCE: f64 = 0.95;
/// Maximum number of tag sets whose meaning is known without parsing them again.
const MOST_KNOWN: usize = 20_000;

/// Fills a live run with the measurements of one run of the driver.
pub struct Feed {
    board: LiveRun,
    /// Whether requests of `setup` and `teardown` are included, as in k6's summary.
    with_setup: bool,
    /// The phases of the run, in seconds from its own start, until it has begun.
    phases: Option<Vec<Phase>>,
    known: HashMap<usize, Known>,
    watched: Watched,
}

/// The set is kept alive, so that its address is not reused.
struct Known {
    _tags: Arc<Tags>,
    /// `None`: not counted.
    tagged: Option<Tagged>,
}

/// The metrics of thresholds, with their aggregates.
#[derive(Default)]
struct Watched {
    thresholds: Thresholds,
    registry: Option<Arc<Registry>>,
    aggregate: Aggregate,
    /// Samples since the last evaluation, by metric; sub-metrics with their filter.
    sinks: HashMap<MetricId, Vec<(Metric, Sink)>>,
}

impl Feed {
    /// For a run of a script: all of its measurements.
    pub fn of_script(board: LiveRun) -> Self {
        Self::new(board, true, Vec::new())
    }

    /// For one leg of a suite's test: its load alone, in these phases.
    pub fn of_leg(board: LiveRun, phases: Vec<Phase>) -> Self {
        Self::new(board, false, phases)
    }

    fn new(board: LiveRun, with_setup: bool, phases: Vec<Phase>) -> Self {
        Self {
            board,
            with_setup,
            phases: Some(phases),
            known: HashMap::new(),
            watched: Watched::default(),
        }
    }

    fn tagged(&mut self, tags: &Arc<Tags>) -> Option<Tagged> {
        let address = Arc::as_ptr(tags) as usize;
        if let Some(known) = self.known.get(&address) {
            return known.tagged.clone();
        }
        let tagged = self.counts(tags).then(|| Tagged::read(tags));
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        let known = Known {
            _tags: Arc::clone(tags),
            tagged: tagged.clone(),
        };
        self.known.insert(address, known);
        tagged
    }

    fn counts(&self, tags: &Tags) -> bool {
        self.with_setup || !is_beside_the_load(tags)
    }

    /// The start of the test, in milliseconds since 1970: the first measurement of its
    /// load. Users are counted from before it. The phases are set when the run starts.
    fn origin_ms(&mut self, samples: &[Sample]) -> Option<i64> {
        let first = samples.iter().find(|sample| {
            let is_of_load = ![builtin::VUS, builtin::VUS_MAX].contains(&sample.metric);
            is_of_load && self.counts(&sample.tags)
        });
        let mut shown = self.board.lock();
        if let Some(first) = first.filter(|_| self.phases.is_some()) {
            let took_ms = match first.metric {
                builtin::HTTP_REQ_DURATION | builtin::ITERATION_DURATION => first.value,
                _ => 0.0,
            };
            let began_ms = first.at.0 / 1_000_000 - took_ms.clamp(0.0, 1e7) as i64;
            let origin_ms = *shown.origin_ms.get_or_insert(began_ms);
            let offset_s = (began_ms - origin_ms) as f64 / 1e3;
            let phases = self.phases.take().unwrap_or_default();
            shown.phases.extend(phases.into_iter().map(|phase| Phase {
                begin_s: phase.begin_s + offset_s,
                end_s: phase.end_s + offset_s,
                ..phase
            }));
            if shown.stage == Stage::Starting {
                shown.stage = Stage::Running;
            }
        }
        shown.origin_ms
    }

    fn take(&mut self, origin_ms: i64, sample: &Sample) {
        let at_s = (sample.at.0 - origin_ms * 1_000_000) as f64 / 1e9;
        let at_s = at_s.max(0.0);
        let is_request = [
            builtin::HTTP_REQ_DURATION,
            builtin::HTTP_REQ_INTENDED_DURATION,
            builtin::HTTP_REQ_CONTENT_BYTES,
        ]
        .contains(&sample.metric);
        let tagged = if is_request {
            self.tagged(&sample.tags)
        } else {
            None
        };
        let counts = is_request || self.counts(&sample.tags);
        let mut shown = self.board.lock();
        let measured = &mut shown.measured;
        let count = sample.value.max(0.0) as u64;
        match (sample.metric, tagged) {
            (builtin::HTTP_REQ_DURATION, Some(tagged)) => {
                let micros = (sample.value * 1e3).round().max(0.0) as u64;
                let Tagged { key, status, error } = tagged;
                measured.request(
                    at_s,
                    &Request {
                        key,
                        status,
                        error: error.as_deref(),
                        micros,
                    },
                );
            }
            (builtin::HTTP_REQ_INTENDED_DURATION, Some(_)) => {
                measured.intended((sample.value * 1e3).round().max(0.0) as u64);
            }
            (builtin::HTTP_REQ_CONTENT_BYTES, Some(tagged)) => {
                measured.content(at_s, &tagged.key, count);
            }
            (builtin::VUS, _) => measured.users(at_s, sample.value),
            (builtin::CHECKS, _) if counts => {
                let name = sample.tags.get("check").unwrap_or_default();
                measured.check(name, sample.value != 0.0);
            }
            (builtin::ITERATIONS, _) => measured.iterations += count,
            (builtin::DROPPED_ITERATIONS, _) => measured.dropped(at_s, count),
            (builtin::DATA_SENT, _) => measured.sent_bytes += count,
            (builtin::DATA_RECEIVED, _) => measured.received_bytes += count,
            _ => {}
        }
    }

    /// Evaluates the thresholds on all measurements.
    fn judge(&mut self, is_over: bool) {
        let judgements = self.watched.judge(&self.board, is_over);
        self.board.lock().judgements = judgements;
    }
}

impl Output for Feed {
    fn description(&self) -> String {
        "live page".to_owned()
    }

    fn start(&mut self, setup: &Setup) -> Result<(), OutputError> {
        self.watched = Watched::new(setup);
        Ok(())
    }

    fn consume(&mut self, samples: &[Sample]) -> Result<(), OutputError> {
        let Some(origin_ms) = self.origin_ms(samples) else {
            return Ok(());
        };
        for sample in samples {
            self.take(origin_ms, sample);
            self.watched.take(sample);
        }
        Ok(())
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn tick(&mut self) -> Result<(), OutputError> {
        self.judge(false);
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd) -> Result<(), OutputError> {
        self.judge(true);
        let mut shown = self.board.lock();
        for result in &end.thresholds {
            let id = id_of(&result.metric, &result.expression);
            if let Some(judgement) = shown.judgements.iter_mut().find(|known| known.id == id) {
                judgement.standing = if result.passed {
                    Standing::Held
                } else {
                    Standing::Crossed
                };
                judgement.measured = result.observed;
            }
        }
        shown.broken_off.clone_from(&end.ended_early);
        if end.ended_early.is_some() {
            // Phases after an early end do not take place; another run of the driver may follow.
            let last_s = shown.measured.last_s();
            shown.phases.retain(|phase| phase.begin_s < last_s);
            for phase in &mut shown.phases {
                phase.end_s = phase.end_s.min(last_s);
            }
        }
        Ok(())
    }
}

impl Watched {
    fn new(setup: &Setup) -> Self {
        let configured = setup.options.thresholds.clone().unwrap_or_default();
        // An invalid one has already ended the run.
        let thresholds = Thresholds::new(&configured, &setup.registry).unwrap_or_default();
        let mut sinks: HashMap<MetricId, Vec<(Metric, Sink)>> = HashMap::new();
        for watch in thresholds.watches() {
            let metric = setup.registry.metric(watch.metric);
            let sink = Sink::new(metric.kind);
            let of_source = sinks.entry(metric.source()).or_default();
            of_source.push((metric, sink));
        }
        Self {
            thresholds,
            registry: Some(Arc::clone(&setup.registry)),
            aggregate: Aggregate::bounded(),
            sinks,
        }
    }

    fn take(&mut self, sample: &Sample) {
        let Some(sinks) = self.sinks.get_mut(&sample.metric) else {
            return;
        };
        for (metric, sink) in sinks {
            if metric.takes(&sample.tags) {
                sink.add(sample.value);
            }
        }
    }

    fn judge(&mut self, board: &LiveRun, is_over: bool) -> Vec<Judgement> {
        let Some(registry) = &self.registry else {
            return Vec::new();
        };
        let fresh = self
            .sinks
            .values_mut()
            .flatten()
            .filter(|(_, sink)| !sink.is_empty());
        let sinks = fresh
            .map(|(metric, sink)| (metric.id, std::mem::replace(sink, Sink::new(metric.kind))));
        self.aggregate.absorb(Delta {
            sinks: sinks.collect(),
            ..Delta::default()
        });
        let run_time = Duration::from_secs_f64(board.lock().measured.last_s().max(0.0));
        if is_over {
            self.thresholds.conclude(&mut self.aggregate, run_time);
        } else {
            self.thresholds.evaluate(&mut self.aggregate, run_time);
        }
        let mut judgements = Vec::new();
        for watch in self.thresholds.watches() {
            let metric = registry.metric(watch.metric);
            let sink = self.aggregate.sorted(watch.metric);
            let has_samples = sink.is_some();
            for rule in &watch.rules {
                judgements.push(Judgement {
                    id: id_of(&watch.name, &rule.text),
                    kind: "threshold".to_owned(),
                    asked: format!("{}: {}", watch.name, rule.text),
                    phase: None,
                    standing: match (has_samples, rule.ok) {
                        (false, _) => Standing::NoData,
                        (true, true) => Standing::Held,
                        (true, false) => Standing::Crossed,
                    },
                    measured: has_samples.then_some(rule.observed),
                    bound: Some(rule.expression.limit()),
                    interval: sink.and_then(|sink| interval(sink, rule.expression.aggregation())),
                    unit: unit(&metric).to_owned(),
                    grade: None,
                    needs_more: None,
                    proved: None,
                    rule: "k6's threshold: decided by the measured value alone".to_owned(),
                });
            }
        }
        judgements
    }
}

/// The 95 % interval of a percentile or a rate, as far as the samples so far bound it. Percentiles are between two order
/// statistics, rates by Clopper and Pearson.
fn interval(sink: &Sink, aggregation: Aggregation) -> Option<[f64; 2]> {
    let quantile = match aggregation {
        Aggregation::Median => 0.5,
        Aggregation::Percentile(percent) => percent / 100.0,
        Aggregation::Rate => {
            let Sink::Rate(rate) = sink else { return None };
            let found = proportion_interval(rate.trues, rate.total, CONFIDENCE).ok()?;
            return Some([found.lower, found.upper]);
        }
        _ => return None,
    };
    let Sink::Trend(trend) = sink else {
        return None;
    };
    let ranks = rank_interval(trend.count() as u64, quantile, CONFIDENCE).ok()?;
    let at = |rank: u64| trend.nth(rank - 1);
    Some([at(ranks.lower?)?, at(ranks.upper?)?])
}

fn id_of(metric: &str, expression: &str) -> String {
    format!("{metric} {expression}")
}

const fn unit(metric: &Metric) -> &'static str {
    match (metric.kind, metric.contains) {
        (Kind::Rate, _) => "ratio",
        (Kind::Trend, Contains::Time) => "ms",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use load_metrics::UnixNanos;

    use super::*;

    #[test]
    fn phases_after_an_early_end_are_not_shown() {
        let board = LiveRun::new("lab", "http://lab.example");
        board.begin("ladder", report::record::LoadModel::Closed, Vec::new());
        let phase = |name: &str, begin_s, end_s| Phase {
            name: name.to_owned(),
            begin_s,
            end_s,
            judged: true,
        };
        let steps = [
            phase("1", 0.0, 2.0),
            phase("2", 2.0, 10.0),
            phase("3", 10.0, 20.0),
        ];
        let mut feed = Feed::of_leg(board.clone(), steps.to_vec());
        let request = |at_ms: i64| Sample {
            metric: builtin::HTTP_REQ_DURATION,
            at: UnixNanos((1_000_000 + at_ms) * 1_000_000),
            value: 0.0,
            tags: Arc::default(),
            metadata: None,
        };
        feed.consume(&[request(0), request(5_000)])
            .expect("consumed");
        let end = RunEnd {
            ended_early: Some("by a signal (interrupt)".to_owned()),
            ..RunEnd::default()
        };
        feed.finish(&end).expect("ended");
        let expected = [phase("1", 0.0, 2.0), phase("2", 2.0, 5.0)];
        assert_eq!(board.lock().phases, expected);
    }
}
