//! Prometheus' measurements of the target, beside those of this program (A360-14).
//!
//! Its values are shown next to the run's own and never replace them: no verdict depends on them.

mod api;
mod figures;

pub use api::{Api, ApiError};

use report::record::{Conclusion, LedgerEntry, TestRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::job::Job;
use figures::{FIGURES, Own, asked};

/// If the rates differ by more than this, one of the two does not see all requests.
const MOST_APART: f64 = 0.1;

/// The values of Prometheus for a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    shown: Value,
    /// Whether the rates agree.
    entry: Option<LedgerEntry>,
}

impl Found {
    /// Adds the values to the analysis of the record, as `prometheus`.
    pub fn write_into(&self, record: &mut TestRecord) {
        record.ledger.extend(self.entry.clone());
        record
            .analysis
            .insert("prometheus".to_owned(), self.shown.clone());
    }
}

/// Queries the longest judged phase of a test; `None` without a Prometheus or a judged phase.
pub fn ask(job: &Job<'_>, began_unix_s: f64, record: &TestRecord) -> Option<Found> {
    let url = url(job)?;
    let [begin_s, end_s] = window(record)?;
    let api = Api::new(url);
    let asked = asked(
        job.file.prometheus.as_ref(),
        job.target.base_url(),
        end_s - begin_s,
    );
    let own = Own::of(record, [begin_s, end_s]);
    let mut shown = Vec::new();
    let mut first_error = None;
    for (figure, query) in FIGURES.into_iter().zip(&asked) {
        let found = api.instant(query, began_unix_s + end_s);
        let error = found.as_ref().err().map(ToString::to_string);
        let theirs = found.ok().flatten();
        let (ours, source) = own.value(figure);
        shown.push(json!({
            "figure": figure.name(),
            "unit": figure.unit(),
            "prometheus": theirs,
            "own": ours,
            "own_source": source,
            "apart": apart(theirs, ours),
            "query": query,
            "error": error,
        }));
        first_error = first_error.or(error);
    }
    if let Some(error) = &first_error {
        job.tell.warn(&format!("Prometheus: {error}"));
    }
    let window = [begin_s, end_s];
    Some(Found {
        entry: entry(&shown, first_error),
        shown: json!({ "url": url, "window_s": window, "figures": shown }),
    })
}

/// The Prometheus of the command line or the suite file.
pub fn url<'a>(job: &'a Job<'_>) -> Option<&'a str> {
    let of_file = || job.file.prometheus.as_ref()?.url.as_deref();
    job.settings.prometheus.as_deref().or_else(of_file)
}

/// The longest judged phase.
fn window(record: &TestRecord) -> Option<[f64; 2]> {
    let judged = record.phases.iter().filter(|phase| phase.judged);
    let spans = judged.map(|phase| [phase.begin_s, phase.end_s]);
    let longest = spans.max_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0])))?;
    (longest[1] > longest[0]).then_some(longest)
}

/// The relative difference between the two values.
fn apart(theirs: Option<f64>, ours: Option<f64>) -> Option<f64> {
    let (theirs, ours) = theirs.zip(ours.filter(|ours| *ours > 0.0))?;
    Some((theirs - ours) / ours)
}

/// Whether the target counted the requests that were sent.
fn entry(shown: &[Value], error: Option<String>) -> Option<LedgerEntry> {
    let entry = |conclusion, text| LedgerEntry {
        what: "prometheus".to_owned(),
        conclusion,
        text,
    };
    if let Some(error) = error {
        let text = format!("Prometheus could not be compared: {error}.");
        return Some(entry(Conclusion::Valid, text));
    }
    let rate = shown.iter().find(|one| one["figure"] == "requests_per_s")?;
    let (theirs, ours) = (rate["prometheus"].as_f64(), rate["own"].as_f64());
    let (Some(theirs), Some(ours)) = (theirs, ours) else {
        let text = "Prometheus has no rate of the target's responses to compare.";
        return Some(entry(Conclusion::Valid, text.to_owned()));
    };
    let is_apart = apart(Some(theirs), Some(ours)).is_none_or(|share| share.abs() > MOST_APART);
    let (conclusion, ending) = if is_apart {
        (
            Conclusion::Suspect,
            "one of the two misses requests, or other clients send requests too",
        )
    } else {
        (Conclusion::Valid, "they agree")
    };
    let text = format!(
        "Prometheus counted {theirs:.1} responses per second of the target, this program {ours:.1}: {ending}."
    );
    Some(entry(conclusion, text))
}

/// Checks before the measurement that Prometheus is reachable.
///
/// # Errors
/// The URL does not respond like a Prometheus.
pub fn probe(url: &str) -> Result<(), ApiError> {
    Api::new(url)
        .instant("vector(1)", super::measure::unix_now())
        .map(drop)
}
