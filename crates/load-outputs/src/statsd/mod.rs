//! `-o statsd`, `-o output-statsd` and `-o datadog`: samples as values of StatsD, over UDP.
//!
//! A counter is a count, a gauge a gauge, a trend a timing. A check is a count of `check.<name>.pass` or
//! `check.<name>.fail`; another rate is a count of its values, so that the count of `http_req_failed` is the number of
//! failed requests.

mod config;
mod message;

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use load_engine::log::{Level, Logger};
use load_metrics::{Metric, MetricId, Registry, Sample};

use crate::output::{Output, OutputError, RunEnd, Setup};
use message::Messages;

pub use config::{Config, Dialect};

/// A datagram of this size passes every network with the usual MTU.
const DATAGRAM_BYTES: usize = 1432;

/// Sends samples to `StatsD`.
pub struct StatsD {
    config: Config,
    open: Option<Open>,
}

struct Open {
    socket: UdpSocket,
    registry: Arc<Registry>,
    metrics: HashMap<MetricId, Metric>,
    messages: Messages,
    buffer_size: u64,
    datagram: String,
    /// Samples in the datagram.
    waiting: u64,
    /// Samples in the last datagram that was sent.
    sent: u64,
    /// The message of the next sample, as a reused buffer.
    message: String,
    lost_samples: u64,
    /// Lost samples that have been logged.
    logged: u64,
    /// The reason why the last samples were lost.
    trouble: Option<io::Error>,
    logger: Logger,
    output: &'static str,
}

impl StatsD {
    /// An output with these settings.
    pub fn new(config: Config) -> Self {
        Self { config, open: None }
    }
}

impl Output for StatsD {
    fn description(&self) -> String {
        format!("{} ({})", self.config.dialect.name(), self.config.address)
    }

    fn start(&mut self, setup: &Setup) -> Result<(), OutputError> {
        let config = &self.config;
        let socket = crate::datagram::connect(&config.address).map_err(|error| {
            let why = format!("cannot send to {}: {error}", config.address);
            config::refuse(config.dialect, why)
        })?;
        self.open = Some(Open {
            socket,
            registry: setup.registry.clone(),
            metrics: HashMap::new(),
            messages: Messages::new(config),
            buffer_size: config.buffer_size,
            datagram: String::new(),
            waiting: 0,
            sent: 0,
            message: String::new(),
            lost_samples: 0,
            logged: 0,
            trouble: None,
            logger: setup.logger.clone(),
            output: config.dialect.name(),
        });
        Ok(())
    }

    fn consume(&mut self, samples: &[Sample]) -> Result<(), OutputError> {
        if let Some(open) = &mut self.open {
            samples.iter().for_each(|sample| open.take(sample));
        }
        Ok(())
    }

    fn interval(&self) -> Duration {
        self.config.push_interval
    }

    fn tick(&mut self) -> Result<(), OutputError> {
        if let Some(open) = &mut self.open {
            open.flush();
            open.log_losses();
        }
        Ok(())
    }

    fn finish(&mut self, _: &RunEnd) -> Result<(), OutputError> {
        if let Some(open) = &mut self.open {
            open.flush();
            open.look_back();
            open.log_losses();
        }
        Ok(())
    }

    fn lost_samples(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.lost_samples)
    }
}

impl Open {
    fn take(&mut self, sample: &Sample) {
        let known = self.metrics.entry(sample.metric);
        let metric = known.or_insert_with(|| self.registry.metric(sample.metric));
        self.message.clear();
        if !self.messages.push(&mut self.message, metric, sample) {
            self.lost_samples += 1;
            return;
        }
        let full = self.datagram.len() + 1 + self.message.len() > DATAGRAM_BYTES;
        if full || self.waiting == self.buffer_size {
            self.flush();
        }
        if !self.datagram.is_empty() {
            self.datagram.push('\n');
        }
        self.datagram.push_str(&self.message);
        self.waiting += 1;
    }

    fn flush(&mut self) {
        if self.waiting == 0 {
            return;
        }
        self.look_back();
        match self.socket.send(self.datagram.as_bytes()) {
            Ok(_) => self.sent = self.waiting,
            Err(error) => self.lose(self.waiting, error),
        }
        self.datagram.clear();
        self.waiting = 0;
    }

    /// The refusal of the last datagram is reported a little after it was sent.
    fn look_back(&mut self) {
        let sent = std::mem::take(&mut self.sent);
        if let Ok(Some(error)) = self.socket.take_error() {
            self.lose(sent, error);
        }
    }

    fn lose(&mut self, samples: u64, error: io::Error) {
        self.lost_samples += samples;
        self.trouble = Some(error);
    }

    fn log_losses(&mut self) {
        let Some(error) = self.trouble.take() else {
            return;
        };
        let lost = (self.lost_samples - self.logged).to_string();
        self.logged = self.lost_samples;
        let error = error.to_string();
        let fields = [
            ("error", error.as_str()),
            ("output", self.output),
            ("samples", &lost),
        ];
        let message = "Samples could not be sent";
        self.logger.log(Level::Warn, message, &fields);
    }
}
