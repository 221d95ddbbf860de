//! Annotations in Grafana. A failure is reported and has no other effect.

use std::time::Duration;

use report::annotations::Annotation;
use ureq::Agent;

/// Timeout of a request.
const PATIENCE: Duration = Duration::from_secs(5);

/// A Grafana instance and its credentials.
#[derive(Clone)]
pub struct Grafana {
    url: String,
    token: Option<String>,
    agent: Agent,
}

/// Annotations that did not arrive.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{left} of {all} annotations did not reach Grafana: {why}")]
pub struct NotTaken {
    left: usize,
    all: usize,
    why: String,
}

impl std::fmt::Debug for Grafana {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Grafana").finish_non_exhaustive()
    }
}

impl Grafana {
    /// By its URL without `/api`, and the token of a service account that may write annotations.
    pub fn new(url: &str, token: Option<String>) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build();
        Self {
            url: url.trim_end_matches('/').to_owned(),
            token,
            agent: config.into(),
        }
    }

    /// Posts all annotations; stops at the first rejected one, so that the run does not wait.
    ///
    /// # Errors
    /// Grafana does not respond, or rejects the request.
    pub fn post(&self, annotations: &[Annotation]) -> Result<(), NotTaken> {
        for (place, annotation) in annotations.iter().enumerate() {
            self.post_one(annotation).map_err(|why| NotTaken {
                left: annotations.len() - place,
                all: annotations.len(),
                why,
            })?;
        }
        Ok(())
    }

    fn post_one(&self, annotation: &Annotation) -> Result<(), String> {
        let mut request = self.agent.post(format!("{}/api/annotations", self.url));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        // The text of an error may contain the URL, which may contain a password.
        let answer = request.send_json(annotation).map_err(|error| match error {
            ureq::Error::Timeout(_) => format!("no answer within {} s", PATIENCE.as_secs()),
            ureq::Error::Io(error) => error.kind().to_string(),
            ureq::Error::HostNotFound => "unknown host".to_owned(),
            ureq::Error::ConnectionFailed => "no connection".to_owned(),
            _ => "the request cannot be sent".to_owned(),
        })?;
        match answer.status().as_u16() {
            200..=299 => Ok(()),
            401 | 403 if self.token.is_none() => {
                Err("it wants a token; set GRAFANA_TOKEN".to_owned())
            }
            status => Err(format!("it answers {status}")),
        }
    }
}
