//! `K6_OTEL_...`.

use std::time::Duration;

use crate::output::{Environment, OutputError};
use crate::push::Endpoint;
use load_engine::K6_VERSION;
use load_engine::go_text::parse_bool;
use load_engine::options::duration::parse;

/// The settings of the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `SERVICE_NAME`
    pub service_name: String,
    /// `SERVICE_VERSION`
    pub service_version: String,
    /// `METRIC_PREFIX`: before each metric's name.
    pub metric_prefix: String,
    /// `EXPORT_INTERVAL`
    pub export_interval: Duration,
    /// `EXPORTER_PROTOCOL`
    pub protocol: Protocol,
    /// `GRPC_EXPORTER_ENDPOINT` or `HTTP_EXPORTER_ENDPOINT` with `HTTP_EXPORTER_URL_PATH`, each with
    /// its `..._INSECURE`; `HEADERS`, `TLS_...`, `HTTP_EXPORTER_USERNAME` and `..._PASSWORD`.
    pub endpoint: Endpoint,
}

/// How metrics are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP, as protobuf.
    Http,
}

const PREFIX: &str = "K6_OTEL_";
const GRPC_PATH: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

impl Config {
    /// Reads the environment; the output takes no argument.
    ///
    /// # Errors
    /// A setting is not valid.
    pub fn read(argument: &str, environment: &Environment) -> Result<Self, OutputError> {
        if !argument.is_empty() {
            return Err(refuse(format!(
                "it takes no argument ('{argument}'); use the K6_OTEL_... variables"
            )));
        }
        let read = Reader(environment);
        let protocol = match read.text("EXPORTER_PROTOCOL").as_deref() {
            None | Some("grpc") => Protocol::Grpc,
            Some("http/protobuf") => Protocol::Http,
            Some(other) => {
                return Err(refuse(format!(
                    "unsupported exporter protocol \"{other}\", only \"grpc\" and \"http/protobuf\" \
                     are supported"
                )));
            }
        };
        let text = |name: &str, usual: &str| read.text(name).unwrap_or_else(|| usual.to_owned());
        let (address, path, insecure) = match protocol {
            Protocol::Grpc => (
                text("GRPC_EXPORTER_ENDPOINT", "localhost:4317"),
                GRPC_PATH.to_owned(),
                read.flag("GRPC_EXPORTER_INSECURE")?,
            ),
            Protocol::Http => (
                text("HTTP_EXPORTER_ENDPOINT", "localhost:4318"),
                text("HTTP_EXPORTER_URL_PATH", "/v1/metrics"),
                read.flag("HTTP_EXPORTER_INSECURE")?,
            ),
        };
        let scheme = if insecure { "http" } else { "https" };
        // k6 has an interval for flushing and one for exporting; here one suffices.
        let flush = read.interval("FLUSH_INTERVAL", 1)?;
        let user = read.text("HTTP_EXPORTER_USERNAME");
        Ok(Self {
            service_name: text("SERVICE_NAME", "k6"),
            service_version: text("SERVICE_VERSION", K6_VERSION),
            metric_prefix: text("METRIC_PREFIX", ""),
            export_interval: read.interval("EXPORT_INTERVAL", 10)?.max(flush),
            protocol,
            endpoint: Endpoint {
                url: format!("{scheme}://{address}{path}"),
                headers: read.headers()?,
                basic_auth: user
                    .map(|user| (user, text("HTTP_EXPORTER_PASSWORD", "")))
                    .filter(|_| protocol == Protocol::Http),
                insecure_skip_tls_verify: read.flag("TLS_INSECURE_SKIP_VERIFY")?,
                client_certificate: read
                    .text("TLS_CLIENT_CERTIFICATE")
                    .zip(read.text("TLS_CLIENT_KEY")),
                authority: read.text("TLS_CERTIFICATE"),
                ..Endpoint::default()
            },
        })
    }
}

struct Reader<'a>(&'a Environment);

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        let found = self.0.get(&format!("{PREFIX}{name}"))?;
        (!found.is_empty()).then(|| found.clone())
    }

    fn flag(&self, name: &str) -> Result<bool, OutputError> {
        let Some(text) = self.text(name) else {
            return Ok(false);
        };
        parse_bool(&text).ok_or_else(|| {
            refuse(format!(
                "{PREFIX}{name}: \"{text}\" is neither true nor false"
            ))
        })
    }

    fn interval(&self, name: &str, usual_s: u64) -> Result<Duration, OutputError> {
        let Some(text) = self.text(name) else {
            return Ok(Duration::from_secs(usual_s));
        };
        parse(&text)
            .map_err(|_| refuse(format!("{PREFIX}{name}: time: invalid duration \"{text}\"")))
    }

    fn headers(&self) -> Result<Vec<(String, String)>, OutputError> {
        let list = self.text("HEADERS").unwrap_or_default();
        let pairs = list.split(',').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let split = pair.split_once('=');
                let (name, value) = split.ok_or_else(|| {
                    refuse(format!(
                        "{PREFIX}HEADERS: \"{pair}\" is not of the form name=value"
                    ))
                })?;
                Ok((name.trim().to_owned(), value.trim().to_owned()))
            })
            .collect()
    }
}

pub(super) fn refuse(why: String) -> OutputError {
    OutputError::Create {
        output: "opentelemetry",
        why,
    }
}
