//! The receipt of an estimate beside the truth of a simulated target.

use serde_json::Value;

use super::Explanation;
use crate::content::events;
use crate::number::{DASH, percent, with_unit};
use crate::record::FoundAndTrue;

pub(super) fn explain(test: &str, truth: &FoundAndTrue) -> Explanation {
    let unit = unit(&truth.what);
    let title = format!("{test}: {}, estimate and truth", truth.what);
    let mut text = Explanation::new(title, truth);
    text.line("found", &shown(&truth.found, unit));
    let interval = truth
        .interval
        .map(|[low, high]| format!("{} to {}", with_unit(low, unit), with_unit(high, unit)));
    text.line("interval", interval.as_deref().unwrap_or(DASH));
    text.line("true", &shown(&truth.truth, unit));
    text.line("rule", &rule(truth, unit));
    let difference = truth.found.as_f64().zip(truth.truth.as_f64());
    if let Some((found, known)) = difference {
        let apart = (found - known).abs();
        text.line("apart", &beside(apart, known, unit));
    }
    let agrees = truth.agrees.map(|agrees| if agrees { "yes" } else { "no" });
    text.line("agrees", agrees.unwrap_or(DASH));
    text.line("judges", "the analysis, never the target");
    text
}

fn rule(truth: &FoundAndTrue, unit: &str) -> String {
    let within = truth.tolerance.map(|tolerance| {
        let known = truth.truth.as_f64().unwrap_or(0.0);
        format!(
            "differs from the truth by {} at most",
            beside(tolerance, known, unit)
        )
    });
    match (within, truth.interval) {
        (Some(within), Some(_)) => {
            format!("it agrees when the truth lies in the interval, or the estimate {within}")
        }
        (Some(within), None) => format!("it agrees when the estimate {within}"),
        (None, Some(_)) => "it agrees when the truth lies in the interval".to_owned(),
        (None, None) => "it agrees when the estimate equals the truth".to_owned(),
    }
}

/// A difference, and its share of the true value.
fn beside(difference: f64, known: f64, unit: &str) -> String {
    let amount = with_unit(difference, unit);
    // A ratio is a share already.
    if known == 0.0 || unit == "ratio" {
        return amount;
    }
    format!("{amount} ({} of it)", percent(difference / known.abs()))
}

fn shown(value: &Value, unit: &str) -> String {
    value
        .as_f64()
        .map_or_else(|| events::text(value), |value| with_unit(value, unit))
}

/// The unit of a figure, from the end of its name: `capacity_per_s by kneedle` is in `/s`.
fn unit(what: &str) -> &'static str {
    let name = what.split(' ').next().unwrap_or_default();
    match name {
        _ if name.contains("bytes_per_s") => "bytes/s",
        _ if name.ends_with("_per_s") => "/s",
        _ if name.ends_with("_ms") => "ms",
        _ if name.ends_with("_users") => "users",
        _ if name.ends_with("_ratio") => "ratio",
        _ if name.ends_with("_s") => "s",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_receipt_of_an_estimate_states_its_tolerance_and_units() {
        let truth = FoundAndTrue {
            what: "throughput_per_s".to_owned(),
            found: json!(119.272_727_272_727),
            interval: None,
            truth: json!(120.91),
            tolerance: Some(6.0455),
            agrees: Some(true),
        };
        let found = explain("load", &truth);
        let line = |name: &str| {
            let mut lines = found.lines.iter();
            let line = lines.find(|line| line.name == name).expect("a line");
            line.text.clone()
        };
        assert_eq!(line("found"), "119/s");
        assert_eq!(line("true"), "121/s");
        assert_eq!(
            line("rule"),
            "it agrees when the estimate differs from the truth by 6.05/s (5.00 % of it) at most"
        );
        assert_eq!(line("apart"), "1.64/s (1.35 % of it)");
        assert_eq!(line("agrees"), "yes");
    }
}
