//! One alert in the formats of its receivers.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::judge::Notice;
use crate::run::measure::unix_now;
use crate::run::stage::Stage;

/// An alert that was raised or resolved, with its context.
#[derive(Debug, Clone)]
pub struct Letter {
    pub notice: Notice,
    /// Seconds since 1970.
    pub raised: f64,
    pub at: f64,
    pub suite: String,
    pub test: String,
    pub target: String,
    pub run: String,
}

impl Letter {
    /// Creates a letter with the current time; `raised` is the time of the alert, in seconds since 1970.
    pub fn new(stage: &Stage<'_>, notice: &Notice, raised: f64) -> Self {
        let job = stage.job;
        let folder = stage.run_folder.file_name().unwrap_or_default();
        Self {
            notice: notice.clone(),
            raised,
            at: unix_now(),
            suite: job.plan.suite.clone(),
            test: stage.test.label(),
            target: job.target.name().to_owned(),
            run: folder.to_string_lossy().into_owned(),
        }
    }

    const fn status(&self) -> &'static str {
        if self.notice.is_firing {
            "firing"
        } else {
            "resolved"
        }
    }

    /// `critical`, `latency_p95_high in load of acis: p95 latency …`.
    pub fn sentence(&self) -> String {
        let Self {
            notice,
            test,
            suite,
            ..
        } = self;
        let ending = if notice.is_firing { "" } else { ", resolved" };
        format!(
            "{} in {test} of {suite}: {}{ending}",
            notice.kind, notice.message
        )
    }

    /// The format of files and webhooks.
    pub fn json(&self) -> Value {
        json!({
            "status": self.status(),
            "type": self.notice.kind,
            "severity": self.notice.severity,
            "message": self.notice.message,
            "value": self.notice.value,
            "threshold": self.notice.bound,
            "raised_at": timestamp(self.raised),
            "at": timestamp(self.at),
            "suite": self.suite,
            "test": self.test,
            "target": self.target,
            "run": self.run,
        })
    }

    /// The format of `POST /api/v2/alerts`; `labels` are added to the usual ones.
    pub fn alertmanager(&self, labels: impl Iterator<Item = (String, String)>) -> Value {
        let mut all = json!({
            "alertname": self.notice.kind,
            "severity": self.notice.severity,
            "suite": self.suite,
            "test": self.test,
            "target": self.target,
            "run": self.run,
        });
        for (name, value) in labels {
            all[name.as_str()] = json!(value);
        }
        let mut alert = json!({
            "labels": all,
            "annotations": { "summary": self.notice.message },
            "startsAt": timestamp(self.raised),
        });
        if !self.notice.is_firing {
            alert["endsAt"] = json!(timestamp(self.at));
        }
        json!([alert])
    }
}

/// RFC 3339, to the millisecond.
fn timestamp(unix_s: f64) -> String {
    Timestamp::from_millisecond((unix_s * 1e3) as i64)
        .map(|time| time.to_string())
        .unwrap_or_default()
}
