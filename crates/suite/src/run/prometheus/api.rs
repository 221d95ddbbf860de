//! Instant queries, by Prometheus' HTTP API.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

const PATIENCE: Duration = Duration::from_secs(10);

/// A Prometheus server.
#[derive(Debug)]
pub struct Api {
    url: String,
    agent: Agent,
}

/// The reason why a query failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("{url} cannot be queried: {why}")]
    Silent { url: String, why: String },
    #[error("{url} refuses `{query}`: {why}")]
    Refused {
        url: String,
        query: String,
        why: String,
    },
    #[error("{url} does not respond as Prometheus does")]
    Other { url: String },
}

impl Api {
    pub fn new(url: &str) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build();
        Self {
            url: url.trim_end_matches('/').to_owned(),
            agent: config.into(),
        }
    }

    /// The value of a query at a time in seconds since 1970, as the sum of its series; `None` without a
    /// series, or without a number.
    ///
    /// # Errors
    /// Prometheus does not respond, or rejects the query.
    pub fn instant(&self, query: &str, at: f64) -> Result<Option<f64>, ApiError> {
        let answer = self
            .agent
            .get(format!("{}/api/v1/query", self.url))
            .query("query", query)
            .query("time", format!("{at:.3}"))
            .call();
        let text = answer.and_then(|mut answer| answer.body_mut().read_to_string());
        let text = text.map_err(|error| ApiError::Silent {
            url: self.url.clone(),
            why: match error {
                ureq::Error::Io(error) => error.to_string(),
                error => error.to_string(),
            },
        })?;
        let other = || ApiError::Other {
            url: self.url.clone(),
        };
        let body: Value = serde_json::from_str(&text).map_err(|_| other())?;
        match body["status"].as_str() {
            Some("success") => Ok(sum(&body["data"])),
            Some("error") => Err(ApiError::Refused {
                url: self.url.clone(),
                query: query.to_owned(),
                why: body["error"].as_str().unwrap_or_default().to_owned(),
            }),
            _ => Err(other()),
        }
    }
}

/// The sum of a vector, or a scalar.
fn sum(data: &Value) -> Option<f64> {
    let number = |pair: &Value| -> Option<f64> { pair[1].as_str()?.parse().ok() };
    let values: Vec<f64> = match data["resultType"].as_str()? {
        "scalar" => vec![number(&data["result"])?],
        "vector" => {
            let series = data["result"].as_array()?.iter();
            series.filter_map(|one| number(&one["value"])).collect()
        }
        _ => return None,
    };
    let sum = values.iter().copied().reduce(|sum, value| sum + value);
    sum.filter(|sum| sum.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn vectors_are_summed_and_values_that_are_not_numbers_give_none() {
        let check = |data: Value, expected: Option<f64>| assert_eq!(sum(&data), expected, "{data}");
        let vector = |values: &[&str]| {
            let series = values
                .iter()
                .map(|value| json!({ "metric": {}, "value": [1.5, value] }));
            json!({ "resultType": "vector", "result": series.collect::<Vec<Value>>() })
        };
        check(vector(&["1.5", "2"]), Some(3.5));
        check(vector(&[]), None);
        check(vector(&["NaN"]), None);
        check(
            json!({ "resultType": "scalar", "result": [1.5, "7"] }),
            Some(7.0),
        );
        check(json!({ "resultType": "matrix", "result": [] }), None);
    }
}
