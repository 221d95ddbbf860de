//! `-o experimental-prometheus-rw`: Prometheus remote write.
//!
//! Samples are aggregated here; every few seconds the series with new samples are sent with one
//! timestamp. Times are in seconds. A counter `x` is the series `k6_x_total`, a rate `k6_x_rate`, a
//! gauge `k6_x`, a trend `k6_x_p99` and so on, or one native histogram `k6_x_seconds`.
//!
//! `-o prometheus` is the same with other defaults ([`Config::read_ours`]), and with the thresholds as series:
//! `k6_threshold_ok{metric,threshold}` is 1 if a threshold holds, otherwise 0. A rate `x` is also the counters
//! `k6_x_trues_total` and `k6_x_values_total`.

mod config;
mod histogram;
mod series;
pub mod wire;

use std::time::{Duration, SystemTime};

use load_engine::{Standings, ThresholdResult};
use load_metrics::{Sample, Tags, UnixNanos};
use prost::Message;

pub use config::{Config, StatKind, TrendStat};

use self::series::Store;
use self::wire::WriteRequest;
use crate::output::{Output, OutputError, RunEnd, Setup};
use crate::push::{PushError, Pusher};
use load_engine::log::{Level, Logger};

/// Sends aggregates to a Prometheus server.
pub struct PrometheusRw {
    config: Config,
    open: Option<Open>,
}

struct Open {
    store: Store,
    /// The thresholds, if they are sent.
    standings: Option<Standings>,
    pusher: Pusher,
    logger: Logger,
    /// The error of the last push.
    failed: Option<String>,
}

impl PrometheusRw {
    /// An output with these settings.
    pub fn new(config: Config) -> Self {
        Self { config, open: None }
    }
}

const NAME: &str = "Prometheus remote write";

impl Output for PrometheusRw {
    fn description(&self) -> String {
        let url = &self.config.endpoint.url;
        match &self.config.test_id {
            Some(test_id) => format!("{NAME} ({url}, testid {test_id} unless tagged)"),
            None => format!("{NAME} ({url})"),
        }
    }

    fn start(&mut self, setup: &Setup) -> Result<(), OutputError> {
        let mut endpoint = self.config.endpoint.clone();
        let fixed = [
            ("Content-Type", "application/x-protobuf"),
            ("Content-Encoding", "snappy"),
            ("X-Prometheus-Remote-Write-Version", "0.1.0"),
            ("User-Agent", "k6-prometheus-rw-output"),
        ];
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        endpoint.headers.splice(0..0, fixed);
        let pusher = Pusher::start(&endpoint).map_err(|error| OutputError::Create {
            output: "experimental-prometheus-rw",
            why: format!("failed to initialize the Prometheus remote write client: {error}"),
        })?;
        self.open = Some(Open {
            store: Store::new(setup.registry.clone(), &self.config, run_tags(setup)),
            standings: self.config.thresholds.then(|| setup.standings.clone()),
            pusher,
            logger: setup.logger.clone(),
            failed: None,
        });
        Ok(())
    }

    fn consume(&mut self, samples: &[Sample]) -> Result<(), OutputError> {
        if let Some(open) = &mut self.open {
            samples.iter().for_each(|sample| open.store.add(sample));
        }
        Ok(())
    }

    fn interval(&self) -> Duration {
        self.config.push_interval
    }

    fn tick(&mut self) -> Result<(), OutputError> {
        if let Some(open) = &mut self.open {
            let result = open.pusher.result();
            open.note(result);
            // If a push takes longer than the interval, the next one includes the new samples.
            if !open.pusher.is_busy() {
                open.push(now_ms());
            }
        }
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd) -> Result<(), OutputError> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        open.settle();
        if let Some(standings) = &open.standings {
            standings.set(end.thresholds.clone());
        }
        let now = now_ms();
        open.push(now);
        open.settle();
        if self.config.stale_markers {
            let markers = open.store.stale_markers(now + 1);
            open.send(markers);
            open.settle();
        }
        let refused = open.store.refused();
        let lost = (refused > 0)
            .then(|| format!("{refused} samples of too many time series were not sent"));
        match open.failed.or(lost) {
            None => Ok(()),
            Some(why) => Err(OutputError::Write {
                target: self.description(),
                source: std::io::Error::other(why),
            }),
        }
    }
}

impl Open {
    fn push(&mut self, at_ms: i64) {
        let standings = self.standings.as_ref();
        let thresholds: Vec<ThresholdResult> = standings.map(Standings::get).unwrap_or_default();
        self.store.take_thresholds(&thresholds);
        let series = self.store.changed(at_ms);
        self.send(series);
    }

    fn send(&mut self, timeseries: Vec<wire::TimeSeries>) {
        if timeseries.is_empty() {
            return;
        }
        let body = WriteRequest { timeseries }.encode_to_vec();
        match snap::raw::Encoder::new().compress_vec(&body) {
            Ok(body) => self.pusher.push(body),
            Err(error) => self.note(Some(Err(PushError::Settings(error.to_string())))),
        }
    }

    fn settle(&mut self) {
        let result = self.pusher.wait();
        self.note(result);
    }

    fn note(&mut self, result: Option<Result<(), PushError>>) {
        match result {
            None => {}
            Some(Ok(())) => self.failed = None,
            Some(Err(error)) => {
                // The series are cumulative, so that nothing is lost when they are sent again.
                self.store.mark_all_changed();
                let message = "Failed to send the time series data to the endpoint";
                let error = error.to_string();
                let fields = [("error", error.as_str()), ("output", NAME)];
                self.logger.log(Level::Error, message, &fields);
                self.failed = Some(error);
            }
        }
    }
}

/// The tags that all samples of the run have.
fn run_tags(setup: &Setup) -> Tags {
    setup.options.tags.iter().flatten().collect()
}

fn now_ms() -> i64 {
    UnixNanos::from(SystemTime::now()).0 / 1_000_000
}
