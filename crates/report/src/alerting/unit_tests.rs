//! Unit tests of the rules for `promtool test rules`, from the seconds of the run.

use std::fmt::Write as _;

use super::replay::{Times, fired};
use super::rules::{quoted, selector};
use super::series::{scrape_s, scraped, series};
use super::{Alert, Figure, RULES, alerts, burns};
use crate::record::{RunRecord, TestRecord};

/// Maximum number of checked firings of an alert.
const MOST_FIRED: usize = 20;

/// A unit test for each test of the run: when each alert fires and resolves.
pub fn unit_tests(run: &RunRecord) -> String {
    let mut text = format!(
        "# The behaviour of the alerts of the run {} on its seconds; generated with {RULES}.\n\
         rule_files:\n  - {RULES}\nevaluation_interval: 1s\n",
        quoted(&run.run)
    );
    let all = run.tests.iter().map(|test| (test, alerts(test).0));
    let mut all = all.filter(|(_, alerts)| !alerts.is_empty()).peekable();
    text.push_str(if all.peek().is_some() {
        "tests:\n"
    } else {
        "tests: []\n"
    });
    for (test, alerts) in all {
        one(run, test, &alerts, &mut text);
    }
    text
}

fn one(run: &RunRecord, test: &TestRecord, alerts: &[Alert], text: &mut String) {
    let (scrape_s, title) = (scrape_s(test), test.title());
    let _ = writeln!(
        text,
        "  - name: {}\n    interval: {scrape_s}s\n    input_series:",
        quoted(&title)
    );
    for figure in Figure::each_once(alerts.iter().map(|alert| &alert.figure)) {
        let mut labels = vec![
            ("suite", run.suite.as_str()),
            ("test", title.as_str()),
            ("testid", run.run.as_str()),
        ];
        labels.extend(figure.metric().map(|metric| ("metric", metric)));
        let name = format!("{}{}", figure.series(), selector(&labels));
        let _ = writeln!(
            text,
            "      - series: {}\n        values: {}",
            quoted(&name),
            quoted(&values(&scraped(test, figure)))
        );
    }
    text.push_str("    alert_rule_test:\n");
    for alert in alerts {
        let series = series(test, &alert.figure);
        let mut expect = |place: usize, is_firing: bool| {
            let value = series.get(place).copied().flatten().filter(|_| is_firing);
            let _ = writeln!(
                text,
                "      - eval_time: {}s\n        alertname: {}\n        exp_alerts:{}",
                place,
                alert.name,
                value.map_or_else(
                    || " []".to_owned(),
                    |value| expected(run, test, alert, value)
                )
            );
        };
        let times = fired(alert, &series);
        if times.is_empty() {
            expect(series.len().saturating_sub(1), false);
        }
        for Times {
            fires, resolves, ..
        } in times.into_iter().take(MOST_FIRED)
        {
            expect(fires - 1, false);
            expect(fires, true);
            if let Some(resolves) = resolves {
                expect(resolves - 1, true);
                expect(resolves, false);
            }
        }
    }
    burning(run, test, text);
}

/// The burn-rate alerts: at each second before and at a change, and at the end.
fn burning(run: &RunRecord, test: &TestRecord, text: &mut String) {
    for burn in burns(test) {
        let all = burn.evaluations(test);
        let mut told: Vec<(usize, Option<f64>)> = all
            .windows(2)
            .filter(|pair| pair[0].1.is_some() != pair[1].1.is_some())
            .flatten()
            .copied()
            .take(2 * MOST_FIRED)
            .collect();
        told.extend(all.last().copied());
        told.dedup_by_key(|(now, _)| *now);
        for (now, fires) in told {
            let expected = fires.map_or_else(
                || " []".to_owned(),
                |value| {
                    let labels = labels(run, test, burn.severity);
                    let summary = burn.summary(test, &format!("{value:.3}"));
                    let summary = quoted(&summary);
                    format!(
                        "{labels}            exp_annotations:\n              summary: {summary}"
                    )
                },
            );
            let _ = writeln!(
                text,
                "      - eval_time: {now}s\n        alertname: {}\n        exp_alerts:{expected}",
                burn.name
            );
        }
    }
}

/// The labels of a firing alert.
fn labels(run: &RunRecord, test: &TestRecord, severity: &str) -> String {
    format!(
        "\n          - exp_labels:\n              severity: {severity}\n              suite: {}\n              \
         test: {}\n              testid: {}\n",
        quoted(&run.suite),
        quoted(&test.title()),
        quoted(&run.run)
    )
}

/// The one alert that fires, with its labels and annotations.
fn expected(run: &RunRecord, test: &TestRecord, alert: &Alert, value: f64) -> String {
    let mut text = labels(run, test, alert.severity());
    if let Some(metric) = alert.figure.metric() {
        let _ = writeln!(text, "              metric: {}", quoted(metric));
    }
    text.push_str("            exp_annotations:");
    for (name, sentence) in alert.annotations(run, test, &format!("{value:.3}")) {
        let _ = write!(text, "\n              {name}: {}", quoted(&sentence));
    }
    text
}

/// Values in promtool's notation. A series without a value is marked as stale; otherwise its last value would
/// remain visible for minutes.
fn values(series: &[Option<f64>]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut gap = 0;
    let mut was_there = false;
    let close = |gap: &mut usize, parts: &mut Vec<String>| {
        if *gap > 0 {
            parts.push(format!("_x{gap}"));
        }
        *gap = 0;
    };
    for value in series {
        match value {
            Some(value) => {
                close(&mut gap, &mut parts);
                parts.push(value.to_string());
                was_there = true;
            }
            None if was_there => {
                parts.push("stale".to_owned());
                was_there = false;
            }
            None => gap += 1,
        }
    }
    close(&mut gap, &mut parts);
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::values;

    #[test]
    fn a_gap_ends_a_series_and_is_counted() {
        let check = |series: &[Option<f64>], text: &str| assert_eq!(values(series), text);
        check(&[None, Some(1.5), Some(2.0)], "_x1 1.5 2");
        check(&[Some(1.0), None, None, None, Some(2.0)], "1 stale _x2 2");
        check(&[None, None], "_x2");
        check(&[Some(1e-7), None], "0.0000001 stale");
    }
}
