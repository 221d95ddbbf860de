//! `-o opentelemetry`: OTLP metrics over gRPC or HTTP.
//!
//! Samples are aggregated here; all series are sent every few seconds, cumulative since the start of the
//! run. A trend is a histogram; a rate is a counter with the attribute `condition`, `zero` or
//! `nonzero`.

mod config;
mod store;
pub mod wire;

use std::time::{Duration, SystemTime};

use load_metrics::{Sample, UnixNanos};
use prost::Message;

pub use config::{Config, Protocol};

use self::config::refuse;
use self::store::Store;
use self::wire::{ExportRequest, KeyValue, Resource, ResourceMetrics, Scope, ScopeMetrics};
use crate::output::{Output, OutputError, RunEnd, Setup};
use crate::push::{PushError, Pusher};
use load_engine::log::{Level, Logger};

/// Sends aggregates to an OpenTelemetry collector.
pub struct OpenTelemetry {
    config: Config,
    open: Option<Open>,
}

struct Open {
    store: Store,
    pusher: Pusher,
    logger: Logger,
    /// The error of the last push.
    failed: Option<String>,
}

const NAME: &str = "opentelemetry";

impl OpenTelemetry {
    /// An output with these settings.
    pub fn new(config: Config) -> Self {
        Self { config, open: None }
    }

    fn request(&self, open: &Open) -> ExportRequest {
        let attributes = vec![
            KeyValue::new("service.name", &self.config.service_name),
            KeyValue::new("service.version", &self.config.service_version),
        ];
        ExportRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(Resource { attributes }),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(Scope {
                        name: "k6".to_owned(),
                    }),
                    metrics: open.store.metrics(now_unix_nanos()),
                }],
            }],
        }
    }

    fn push(&mut self) {
        let Some(open) = &self.open else { return };
        let body = self.request(open).encode_to_vec();
        if let Some(open) = &mut self.open {
            open.pusher.push(body);
        }
    }
}

impl Output for OpenTelemetry {
    fn description(&self) -> String {
        let protocol = match self.config.protocol {
            Protocol::Grpc => "grpc",
            Protocol::Http => "http/protobuf",
        };
        let url = self.config.endpoint.url.as_str();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let address = rest.split('/').next().unwrap_or_default();
        format!("{NAME} ({protocol}, {address})")
    }

    fn start(&mut self, setup: &Setup) -> Result<(), OutputError> {
        let pusher = match self.config.protocol {
            Protocol::Http => {
                let mut endpoint = self.config.endpoint.clone();
                let kind = (
                    "Content-Type".to_owned(),
                    "application/x-protobuf".to_owned(),
                );
                endpoint.headers.insert(0, kind);
                Pusher::start(&endpoint)
            }
            Protocol::Grpc => Pusher::start_grpc(&self.config.endpoint),
        };
        let pusher = pusher.map_err(|error| refuse(error.to_string()))?;
        let prefix = &self.config.metric_prefix;
        self.open = Some(Open {
            store: Store::new(setup.registry.clone(), prefix, now_unix_nanos()),
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
        self.config.export_interval
    }

    fn tick(&mut self) -> Result<(), OutputError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let result = open.pusher.result();
        open.note(result);
        // If an export takes longer than the interval, the next one includes the new samples.
        if !open.pusher.is_busy() {
            self.push();
        }
        Ok(())
    }

    fn finish(&mut self, _: &RunEnd) -> Result<(), OutputError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let result = open.pusher.wait();
        open.note(result);
        self.push();
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        let result = open.pusher.wait();
        open.note(result);
        let refused = open.store.refused();
        let lost = (refused > 0)
            .then(|| format!("{refused} samples of too many time series were not sent"));
        match open.failed.take().or(lost) {
            None => Ok(()),
            Some(why) => Err(OutputError::Write {
                target: self.description(),
                source: std::io::Error::other(why),
            }),
        }
    }
}

impl Open {
    fn note(&mut self, result: Option<Result<(), PushError>>) {
        match result {
            None => {}
            Some(Ok(())) => self.failed = None,
            Some(Err(error)) => {
                let error = error.to_string();
                let fields = [("error", error.as_str()), ("output", NAME)];
                let message = "Failed to export the metrics";
                self.logger.log(Level::Error, message, &fields);
                self.failed = Some(error);
            }
        }
    }
}

fn now_unix_nanos() -> u64 {
    u64::try_from(UnixNanos::from(SystemTime::now()).0).unwrap_or_default()
}
