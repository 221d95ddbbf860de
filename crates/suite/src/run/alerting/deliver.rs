//! Delivery to each kind of sink.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use load_driver::Stream;
use serde_json::Value;
use ureq::Agent;

use super::letter::Letter;
use crate::file::Sink;
use crate::run::progress::Tell;
use crate::run::stage::Stage;

/// Timeout for a receiver.
const PATIENCE: Duration = Duration::from_secs(5);
/// A receiver is abandoned after this number of consecutive failures: a test must not wait for it.
const GIVE_UP_AFTER: u32 = 3;

/// The sinks of a suite file.
pub struct Sinks<'a> {
    sinks: Vec<State<'a>>,
    agent: Agent,
    variables: &'a [(OsString, OsString)],
    folder: &'a Path,
    log: &'a Stream,
    tell: &'a dyn Tell,
}

struct State<'a> {
    sink: &'a Sink,
    failed: u32,
    failed_in_a_row: u32,
}

/// A sink that failed for the first time.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed {
    pub sink: String,
    pub why: String,
}

impl<'a> Sinks<'a> {
    pub fn new(stage: &'a Stage<'a>, sinks: &'a [Sink]) -> Self {
        let job = stage.job;
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build();
        let state = |sink| State {
            sink,
            failed: 0,
            failed_in_a_row: 0,
        };
        Self {
            sinks: sinks.iter().map(state).collect(),
            agent: config.into(),
            variables: &job.settings.variables,
            folder: stage.run_folder,
            log: &job.settings.stderr,
            tell: job.tell,
        }
    }

    /// Notifies all sinks; with a reminder, only those that need one. Returns the sinks that failed for the
    /// first time.
    pub fn tell(&mut self, letter: &Letter, is_reminder: bool) -> Vec<Failed> {
        let mut failed = Vec::new();
        for place in 0..self.sinks.len() {
            let (sink, failed_in_a_row) =
                (self.sinks[place].sink, self.sinks[place].failed_in_a_row);
            let wants = !is_reminder || matches!(sink, Sink::Alertmanager { .. });
            if !wants {
                continue;
            }
            let gave_up = failed_in_a_row >= GIVE_UP_AFTER;
            let told = if gave_up {
                Err("skipped after an earlier failure".to_owned())
            } else {
                self.deliver(sink, letter)
            };
            let state = &mut self.sinks[place];
            match told {
                Ok(()) => state.failed_in_a_row = 0,
                Err(why) => {
                    state.failed += 1;
                    state.failed_in_a_row += 1;
                    if state.failed == 1 {
                        let sink = sink.name();
                        failed.push(Failed { sink, why });
                    }
                }
            }
        }
        failed
    }

    /// Reports how many alerts were not delivered, if more than the one already reported.
    pub fn sum_up(&self) {
        for state in self.sinks.iter().filter(|state| state.failed > 1) {
            self.tell.warn(&format!(
                "{} alerts did not reach {}",
                state.failed,
                state.sink.name()
            ));
        }
    }

    fn deliver(&self, sink: &Sink, letter: &Letter) -> Result<(), String> {
        match sink {
            Sink::Log => {
                self.log.print(log_line(letter));
                Ok(())
            }
            Sink::File { path } => {
                let line = format!("{}\n", letter.json());
                append(&self.folder.join(path), &line).map_err(|error| error.to_string())
            }
            Sink::Webhook { url, headers } => {
                let headers = headers.iter();
                let headers: Result<Vec<(&str, String)>, String> = headers
                    .map(|(name, value)| Ok((name.as_str(), self.filled(value)?)))
                    .collect();
                self.post(&self.filled(url)?, &headers?, &letter.json())
            }
            Sink::Alertmanager { url, labels } => {
                let labels = labels.iter();
                let labels = labels.map(|(name, value)| (name.clone(), value.clone()));
                let url = self.filled(url)?;
                let url = format!("{}/api/v2/alerts", url.trim_end_matches('/'));
                self.post(&url, &[], &letter.alertmanager(labels))
            }
        }
    }

    fn post(&self, url: &str, headers: &[(&str, String)], body: &Value) -> Result<(), String> {
        let mut request = self
            .agent
            .post(url)
            .header("Content-Type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        // The text of an error may contain the URL, which may be a secret.
        let answer = request
            .send(body.to_string())
            .map_err(|error| match error {
                ureq::Error::Timeout(_) => format!("no answer within {} s", PATIENCE.as_secs()),
                ureq::Error::Io(error) => error.kind().to_string(),
                ureq::Error::HostNotFound => "unknown host".to_owned(),
                ureq::Error::ConnectionFailed => "no connection".to_owned(),
                _ => "the request cannot be sent".to_owned(),
            })?;
        let status = answer.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("it answers {}", status.as_u16()))
        }
    }

    /// Replaces variables of the form `${NAME}` in the text with their values.
    fn filled(&self, text: &str) -> Result<String, String> {
        filled(text, &|name| {
            let found = self.variables.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.to_string_lossy().into_owned())
        })
    }
}

fn filled(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut parts = text.split("${");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').ok_or("a `${` without `}`")?;
        let value = variable(name).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| format!("the variable {name} is not set"))?;
        whole.push_str(&value);
        whole.push_str(rest);
    }
    Ok(whole)
}

/// A line in the format of the load driver's log.
fn log_line(letter: &Letter) -> String {
    let level = match (letter.notice.is_firing, letter.notice.severity) {
        (false, _) => "info",
        (true, "critical") => "error",
        (true, _) => "warning",
    };
    let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    format!(
        "time=\"{time}\" level={level} msg=\"{}\"\n",
        letter.sentence()
    )
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = File::options().create(true).append(true).open(path)?;
    file.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_and_missing_ones_named() {
        let variable = |name: &str| (name == "TOKEN").then(|| "t0k".to_owned());
        let filled = |text: &str| filled(text, &variable);
        assert_eq!(filled("Bearer ${TOKEN}!").as_deref(), Ok("Bearer t0k!"));
        assert_eq!(filled("plain $5").as_deref(), Ok("plain $5"));
        assert!(filled("${OTHER}").is_err_and(|why| why.contains("OTHER")));
        assert!(filled("${TOKEN").is_err());
    }
}
