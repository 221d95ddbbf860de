//! `-o influxdb[=url]`: every sample as a point of InfluxDB 1.x, or of a service that accepts its write requests.
//!
//! Samples are encoded as lines when they arrive. Once per interval the lines become a body, which one of a few
//! threads sends; if all of them are busy, bodies wait in a bounded queue. Samples that are refused or do not fit
//! are lost and counted, since nothing is sent twice.

mod config;
mod line;
mod send;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use load_engine::log::{Level, Logger};
use load_metrics::{MetricId, Registry, Sample};

use crate::output::{Output, OutputError, RunEnd, Setup};
use crate::push::{PushError, Pusher};
use line::Lines;

pub use config::{Config, FieldType, Precision};

/// The field `output` of log lines.
const NAME: &str = "InfluxDBv1";
/// A body of this size is closed before the interval ends; servers take 25 MB at most.
const BODY_BYTES: usize = 4 << 20;
/// The maximum number of bodies that wait for a thread.
const WAITING_BODIES: usize = 16;

/// Writes samples to InfluxDB.
pub struct InfluxDb {
    config: Config,
    open: Option<Open>,
    lost_samples: u64,
}

struct Open {
    registry: Arc<Registry>,
    names: HashMap<MetricId, String>,
    lines: Lines,
    current: Body,
    waiting: VecDeque<Body>,
    senders: Vec<Sender>,
    logger: Logger,
}

/// Lines to be sent together.
#[derive(Default)]
struct Body {
    text: String,
    samples: u64,
}

struct Sender {
    pusher: Pusher,
    /// The number of samples in flight.
    samples: u64,
}

impl InfluxDb {
    /// An output with these settings.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            open: None,
            lost_samples: 0,
        }
    }
}

impl Output for InfluxDb {
    fn description(&self) -> String {
        format!("{NAME} ({})", self.config.shown_address())
    }

    fn start(&mut self, setup: &Setup) -> Result<(), OutputError> {
        let refuse = |error: PushError| config::refuse(error.to_string());
        let pushers = send::pushers(&self.config).map_err(refuse)?;
        if let Err(error) = send::create_database(&self.config) {
            // A user with only the right to write may not create it; the first write shows whether the database exists.
            let error = error.to_string();
            let fields = [("error", error.as_str()), ("output", NAME)];
            let message = "The database could not be created; it may exist";
            setup.logger.log(Level::Debug, message, &fields);
        }
        let senders = pushers.into_iter();
        self.open = Some(Open {
            registry: setup.registry.clone(),
            names: HashMap::new(),
            lines: Lines::new(&self.config),
            current: Body::default(),
            waiting: VecDeque::new(),
            senders: senders
                .map(|pusher| Sender { pusher, samples: 0 })
                .collect(),
            logger: setup.logger.clone(),
        });
        Ok(())
    }

    fn consume(&mut self, samples: &[Sample]) -> Result<(), OutputError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        for sample in samples {
            self.lost_samples += open.write(sample);
        }
        Ok(())
    }

    fn interval(&self) -> Duration {
        self.config.push_interval
    }

    fn tick(&mut self) -> Result<(), OutputError> {
        if let Some(open) = &mut self.open {
            self.lost_samples += open.close_body() + open.send_waiting();
        }
        Ok(())
    }

    fn finish(&mut self, _: &RunEnd) -> Result<(), OutputError> {
        if let Some(mut open) = self.open.take() {
            self.lost_samples += open.close_body() + open.send_all();
        }
        Ok(())
    }

    fn lost_samples(&self) -> u64 {
        self.lost_samples
    }
}

impl Open {
    /// Writes a sample to the current body. Returns the number of samples lost by this.
    fn write(&mut self, sample: &Sample) -> u64 {
        let mut lost = 0;
        if self.current.text.len() >= BODY_BYTES {
            lost += self.close_body() + self.send_waiting();
        }
        let known = self.names.entry(sample.metric);
        let name = known.or_insert_with(|| self.registry.metric(sample.metric).name);
        if self.lines.push(&mut self.current.text, name, sample) {
            self.current.samples += 1;
        } else {
            lost += 1;
        }
        lost
    }

    /// Queues the current body for a sender. Returns the number of samples that do not fit.
    fn close_body(&mut self) -> u64 {
        if self.current.samples == 0 {
            return 0;
        }
        let body = std::mem::take(&mut self.current);
        if self.waiting.len() < WAITING_BODIES {
            self.waiting.push_back(body);
            return 0;
        }
        let message = "The receiver is too slow: samples are lost";
        self.logger.log(Level::Warn, message, &[("output", NAME)]);
        body.samples
    }

    /// Passes waiting bodies to idle senders. Returns the number of samples that failed meanwhile.
    fn send_waiting(&mut self) -> u64 {
        let mut lost = 0;
        for sender in &mut self.senders {
            if let Some(result) = sender.pusher.result() {
                lost += sender.note(result, &self.logger);
            }
            if !sender.pusher.is_busy()
                && let Some(body) = self.waiting.pop_front()
            {
                sender.samples = body.samples;
                sender.pusher.push(body.text.into_bytes());
            }
        }
        lost
    }

    /// Sends everything and waits for the results. Returns the number of samples that failed.
    fn send_all(&mut self) -> u64 {
        let mut lost = 0;
        loop {
            lost += self.send_waiting();
            let all_sent = self.waiting.is_empty();
            for sender in &mut self.senders {
                if let Some(result) = sender.pusher.wait() {
                    lost += sender.note(result, &self.logger);
                }
            }
            if all_sent {
                return lost;
            }
        }
    }
}

impl Sender {
    /// Logs a failure and returns the number of samples lost by it.
    fn note(&mut self, result: Result<(), PushError>, logger: &Logger) -> u64 {
        let samples = std::mem::take(&mut self.samples);
        let Err(error) = result else {
            return 0;
        };
        let error = error.to_string();
        let fields = [("error", error.as_str()), ("output", NAME)];
        logger.log(Level::Error, "Couldn't write stats", &fields);
        samples
    }
}
