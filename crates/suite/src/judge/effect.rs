//! Compares the effect of each optimisation with the effect that the system predicts (ACSO-57).
//!
//! Each part except `baseline` changes one setting; a repeated part has a number behind its name, such as `baseline_2`.
//! Without a part named `baseline`, the median of all parts takes its place. The prediction is the difference of the
//! mean responses that the simulated system computes for itself under either setting.

use indexmap::IndexMap;
use report::record::{Standing, TestRecord};
use serde_json::{Value, json};

use super::decide::Decision;
use super::run::GroupFinding;
use super::verdict::decided;

const BASELINE: &str = "baseline";
/// A dozen settings are compared at once: each interval covers 99.7 %, so that all of them together cover 97 %.
const STANDARD_ERRORS: f64 = 3.0;
/// Differences below this share of the mean response are no effect.
const SMALL: f64 = 0.05;

/// All runs of one setting.
struct Setting<'a> {
    name: &'a str,
    mean_ms: f64,
    error_ms: f64,
    /// The system's own prediction.
    predicted_ms: Option<f64>,
}

/// The observed effect of a setting, compared with the prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Agreement {
    /// The predicted sign was observed.
    Agrees,
    /// The opposite sign was observed.
    Contradicts,
    /// An effect that should be visible was not observed.
    Undecided,
    /// The predicted effect is too small to be visible in this number of responses.
    TooSmall,
    /// There is no prediction.
    Unknown,
}

pub(super) fn over(members: &[&TestRecord]) -> GroupFinding {
    let mut settings: IndexMap<&str, Vec<&TestRecord>> = IndexMap::new();
    for test in members {
        settings.entry(name(test)).or_default().push(test);
    }
    let no_data = |text: String| (Decision::NO_DATA, text, Value::Null);
    let mut measured = Vec::new();
    for (name, tests) in settings {
        match setting(name, &tests) {
            Some(setting) => measured.push(setting),
            None => return no_data(format!("{name} has no figure")),
        }
    }
    if measured.len() < 2 {
        return no_data("there are no parts to compare".to_owned());
    }
    let base = measured.remove(baseline(&measured));
    let (base, others) = (&base, measured);
    let agreements: Vec<(&str, Agreement)> = others
        .iter()
        .map(|own| (own.name, agreement(own, base)))
        .collect();
    let shown = others.iter().map(|own| shown(own, base)).collect();
    let (decision, text) = concluded(&agreements);
    (decision, text, Value::Array(shown))
}

/// The index of the baseline, or of the median.
fn baseline(measured: &[Setting<'_>]) -> usize {
    let named = measured.iter().position(|it| it.name == BASELINE);
    named.unwrap_or_else(|| {
        let mut places: Vec<usize> = (0..measured.len()).collect();
        places.sort_by(|a, b| measured[*a].mean_ms.total_cmp(&measured[*b].mean_ms));
        places[places.len() / 2]
    })
}

/// The name of a part without the number of its repetition.
fn name(test: &TestRecord) -> &str {
    let part = test.part.as_deref().unwrap_or_default();
    match part.rsplit_once('_') {
        Some((name, number)) if number.parse::<u32>().is_ok() => name,
        _ => part,
    }
}

/// The mean over all runs. Its error includes the spread between runs, because the responses of one run share the
/// same minute.
fn setting<'a>(name: &'a str, tests: &[&TestRecord]) -> Option<Setting<'a>> {
    let all: Option<Vec<(f64, f64)>> = tests.iter().map(|test| mean(test)).collect();
    let all = all?;
    let count = all.len() as f64;
    let mean_ms = all.iter().map(|(mean, _)| mean).sum::<f64>() / count;
    let within = all.iter().map(|(_, error)| error * error).sum::<f64>();
    let between = all.iter().map(|(mean, _)| (mean - mean_ms).powi(2));
    let between = between.sum::<f64>() / (count * (count - 1.0).max(1.0));
    let predicted_ms = tests.iter().rev().find_map(|test| predicted(test));
    Some(Setting {
        name,
        mean_ms,
        error_ms: (within.sqrt() / count).max(between.sqrt()),
        predicted_ms,
    })
}

/// The mean response time of the judged phase, and its standard error.
fn mean(test: &TestRecord) -> Option<(f64, f64)> {
    let phase = test.phases.iter().rfind(|it| it.judged);
    let figures = phase.map_or(&test.figures, |it| &it.figures);
    let latency = figures.latency.as_ref()?;
    let error = latency.standard_deviation / (figures.requests.max(1) as f64).sqrt();
    Some((latency.mean, error))
}

fn predicted(test: &TestRecord) -> Option<f64> {
    let figure = test.analysis.get("truth")?.pointer("/load/response_ms")?;
    figure.get("value").unwrap_or(figure).as_f64()
}

fn change(own: &Setting<'_>, base: &Setting<'_>) -> (f64, f64) {
    let half = STANDARD_ERRORS * own.error_ms.hypot(base.error_ms);
    (own.mean_ms - base.mean_ms, half)
}

fn expected(own: &Setting<'_>, base: &Setting<'_>) -> Option<f64> {
    Some(own.predicted_ms? - base.predicted_ms?)
}

fn agreement(own: &Setting<'_>, base: &Setting<'_>) -> Agreement {
    let ((change, half), Some(expected)) = (change(own, base), expected(own, base)) else {
        return Agreement::Unknown;
    };
    let small = SMALL * base.mean_ms;
    let is_seen = change.abs() > half.max(small);
    let shows = expected.abs() > half.max(small);
    match (is_seen, shows) {
        (true, _) if change * expected > 0.0 => Agreement::Agrees,
        (true, _) => Agreement::Contradicts,
        (false, true) => Agreement::Undecided,
        (false, false) => Agreement::TooSmall,
    }
}

fn shown(own: &Setting<'_>, base: &Setting<'_>) -> Value {
    let (change, half) = change(own, base);
    let direction = if change > half {
        "slower"
    } else if change < -half {
        "faster"
    } else {
        "no difference seen"
    };
    let agrees = match agreement(own, base) {
        Agreement::Agrees => json!(true),
        Agreement::Contradicts => json!(false),
        Agreement::Undecided | Agreement::TooSmall | Agreement::Unknown => Value::Null,
    };
    json!({
        "part": own.name, "mean_ms": own.mean_ms, "beside_ms": base.mean_ms, "change_ms": change,
        "interval": [change - half, change + half], "direction": direction,
        "predicted_ms": expected(own, base), "agrees": agrees,
    })
}

fn concluded(agreements: &[(&str, Agreement)]) -> (Decision, String) {
    let with = |wanted: Agreement| -> Vec<&str> {
        let those = agreements.iter().filter(|(_, found)| *found == wanted);
        those.map(|(name, _)| *name).collect()
    };
    let (agree, contrary) = (with(Agreement::Agrees), with(Agreement::Contradicts));
    let (open, small) = (with(Agreement::Undecided), with(Agreement::TooSmall));
    let known = agreements.len() - with(Agreement::Unknown).len();
    if known == 0 {
        let text = "measured beside the baseline; no system says what to expect".to_owned();
        return (decided(Standing::Reported), text);
    }
    let mut text = format!(
        "{} of {known} have the effect that is predicted",
        agree.len()
    );
    for (what, names) in [
        ("the opposite", &contrary),
        ("undecided", &open),
        ("too small to be seen", &small),
    ] {
        if !names.is_empty() {
            text += &format!("; {what}: {}", names.join(", "));
        }
    }
    let standing = if !contrary.is_empty() {
        Standing::Crossed
    } else if !open.is_empty() || agree.is_empty() {
        Standing::Inconclusive
    } else {
        Standing::Held
    };
    let decision = Decision {
        measured: Some(agree.len() as f64),
        ..decided(standing)
    };
    (decision, text)
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    /// A part with 100 responses per second of `mean_ms`, for which the system predicts `predicted_ms`.
    fn part(name: &str, mean_ms: f64, predicted_ms: Option<f64>) -> TestRecord {
        let mut record = Sample::of("acso", "optimisation").latency(mean_ms).record;
        record.part = Some(name.to_owned());
        if let Some(value) = predicted_ms {
            let truth = json!({ "load": { "response_ms": { "value": value, "exact": true } } });
            record.analysis.insert("truth".to_owned(), truth);
        }
        record
    }

    fn standing(parts: &[TestRecord]) -> (Standing, String) {
        let members: Vec<&TestRecord> = parts.iter().collect();
        let (decision, text, _) = over(&members);
        (decision.standing, text)
    }

    #[test]
    fn effects_have_the_sign_that_is_predicted() {
        let base = [
            part("baseline", 400.0, Some(400.0)),
            part("baseline_2", 402.0, Some(400.0)),
        ];
        let check = |mean_ms, predicted_ms, expected| {
            let mut parts = base.to_vec();
            parts.push(part("pooling", mean_ms, Some(predicted_ms)));
            parts.push(part("pooling_2", mean_ms + 2.0, Some(predicted_ms)));
            let (found, text) = standing(&parts);
            assert_eq!(found, expected, "{mean_ms} {predicted_ms}: {text}");
            text
        };
        check(500.0, 505.0, Standing::Held);
        check(300.0, 310.0, Standing::Held);
        let text = check(300.0, 500.0, Standing::Crossed);
        assert!(text.contains("the opposite: pooling"), "{text}");
        let text = check(401.0, 500.0, Standing::Inconclusive);
        assert!(text.contains("undecided: pooling"), "{text}");
        let text = check(401.0, 402.0, Standing::Inconclusive);
        assert!(text.contains("too small to be seen: pooling"), "{text}");
        check(500.0, 399.0, Standing::Crossed);
    }

    #[test]
    fn without_a_prediction_or_a_second_part_nothing_is_judged() {
        let parts = [part("baseline", 400.0, None), part("pooling", 500.0, None)];
        assert_eq!(standing(&parts).0, Standing::Reported);
        assert_eq!(standing(&parts[..1]).0, Standing::NoData);
    }
}
