//! Creates outputs from `-o name=argument`.

use jiff::Timestamp;

use crate::csv::{self, Csv};
use crate::influxdb::{self, InfluxDb};
use crate::json::Json;
use crate::junit::Junit;
use crate::opentelemetry::{self, OpenTelemetry};
use crate::output::{Environment, Output, OutputError};
use crate::prometheus_rw::{self, PrometheusRw};
use crate::statsd::{self, Dialect, StatsD};

/// The available outputs, by name.
const AVAILABLE: &[&str] = &[
    "csv",
    "datadog",
    "experimental-opentelemetry",
    "experimental-prometheus-rw",
    "influxdb",
    "json",
    "junit",
    "opentelemetry",
    "output-statsd",
    "prometheus",
    "statsd",
    // Created by the driver, since it is a page of the report.
    "web-dashboard",
];

/// Outputs that need an extension or a cloud service.
const ELSEWHERE: &[&str] = &["cloud", "kafka"];

/// Whether the output of `specification` writes to a service, not to a file or a page of this process.
pub fn is_service(specification: &str) -> bool {
    let name = specification
        .split_once('=')
        .map_or(specification, |(name, _)| name);
    [
        "datadog",
        "experimental-opentelemetry",
        "experimental-prometheus-rw",
        "influxdb",
        "opentelemetry",
        "output-statsd",
        "prometheus",
        "statsd",
    ]
    .contains(&name)
}

/// Creates the output of `specification` (`json`, `csv=fileName=a.csv,timeFormat=unix`).
///
/// # Errors
/// The output is unknown, or its settings are not valid.
pub fn create(
    specification: &str,
    environment: &Environment,
) -> Result<Box<dyn Output>, OutputError> {
    let (name, argument) = specification.split_once('=').unwrap_or((specification, ""));
    match name {
        "junit" => Ok(Box::new(Junit::new(argument))),
        "json" => Ok(Box::new(Json::new(argument))),
        "csv" => Ok(Box::new(Csv::new(csv::Config::read(
            argument,
            environment,
        )?))),
        "experimental-prometheus-rw" => {
            let config = prometheus_rw::Config::read(argument, environment)?;
            Ok(Box::new(PrometheusRw::new(config)))
        }
        "prometheus" => {
            let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
            let config = prometheus_rw::Config::read_ours(argument, environment, now)?;
            Ok(Box::new(PrometheusRw::new(config)))
        }
        "opentelemetry" | "experimental-opentelemetry" => {
            let config = opentelemetry::Config::read(argument, environment)?;
            Ok(Box::new(OpenTelemetry::new(config)))
        }
        "influxdb" => {
            let config = influxdb::Config::read(argument, environment)?;
            Ok(Box::new(InfluxDb::new(config)))
        }
        // The last is the name that the extension registers.
        "datadog" | "statsd" | "output-statsd" => {
            let dialect = match name {
                "datadog" => Dialect::Datadog,
                _ => Dialect::StatsD,
            };
            let config = statsd::Config::read(dialect, argument, environment)?;
            Ok(Box::new(StatsD::new(config)))
        }
        _ if ELSEWHERE.contains(&name) => Err(OutputError::NotBuiltIn(name.to_owned())),
        _ => Err(OutputError::Unknown {
            name: name.to_owned(),
            available: AVAILABLE.join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(specification: &str, description_or_error: &str) {
        let found = match create(specification, &Environment::new()) {
            Ok(output) => output.description(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, description_or_error);
    }

    #[test]
    fn outputs_are_found_by_name_and_described_as_k6_does() {
        check("json", "json(stdout)");
        check("json=a=b.json", "json (a=b.json)");
        check("csv", "csv (file.csv)");
        check("junit", "junit (junit.xml)");
        check("opentelemetry", "opentelemetry (grpc, localhost:4317)");
        check("csv=-", "csv (stdout)");
        check("influxdb", "InfluxDBv1 (http://localhost:8086)");
        check("influxdb=http://h:1/db", "InfluxDBv1 (http://h:1)");
        check("statsd", "statsd (localhost:8125)");
        check("output-statsd", "statsd (localhost:8125)");
        check("datadog=h:1", "datadog (h:1)");
        check(
            "experimental-prometheus-rw",
            "Prometheus remote write (http://localhost:9090/api/v1/write)",
        );
        check("csv=fileName=x.csv,timeFormat=rfc3339", "csv (x.csv)");
    }

    #[test]
    fn an_unknown_output_is_answered_with_those_that_exist() {
        check(
            "nope=3",
            &format!(
                "invalid output type 'nope', available types are: {}",
                AVAILABLE.join(", ")
            ),
        );
        check(
            "kafka",
            "the output 'kafka' is not built in; write JSON or use an OpenTelemetry collector",
        );
    }
}
