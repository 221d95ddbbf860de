//! The rules as a file for Prometheus.

use std::fmt::Write as _;

use super::{Alert, FOR_S, Figure, MetricFigure, TESTS, alerts, burns};
use crate::record::{RunRecord, TestRecord};

/// The recorded figures, then the alerts of each test.
pub fn rules(run: &RunRecord) -> String {
    let all: Vec<(&TestRecord, Vec<Alert>, Vec<String>)> = run
        .tests
        .iter()
        .map(|test| {
            let (alerts, without) = alerts(test);
            (test, alerts, without)
        })
        .collect();
    let mut text = format!(
        "# Alerts from the thresholds of the run {}, made by `sparring report --format rules`.\n\
         # `promtool test rules {TESTS}` replays them on the seconds of that run.\n\
         # The first group records the figures from what `--out prometheus=URL` writes. To watch a service without\n\
         # sparring, record the same names from its own metrics. target:… is left to you: what a processor and a\n\
         # memory are called depends on who measures them.\n",
        visible(&run.run)
    );
    let without: Vec<&String> = all.iter().flat_map(|(.., without)| without).collect();
    if !without.is_empty() {
        text.push_str("# No rule can be made of these judgements:\n");
        for id in without {
            let _ = writeln!(text, "#   {}", visible(id));
        }
    }
    text.push_str("groups:\n");
    let figures = all.iter().flat_map(|(_, alerts, _)| alerts);
    let figures = Figure::each_once(figures.map(|alert| &alert.figure));
    let mut recorded = figures
        .into_iter()
        .filter(|figure| !figure.is_of_resources())
        .peekable();
    if recorded.peek().is_some() {
        let _ = writeln!(
            text,
            "  - name: {}\n    rules:",
            quoted(&format!("{} figures", run.suite))
        );
    }
    for figure in recorded {
        let expression = source(figure, &format!("suite={}", quoted(&run.suite)));
        let (series, expression) = (figure.series(), quoted(&expression));
        let _ = writeln!(text, "      - record: {series}\n        expr: {expression}");
        if let Some(metric) = figure.metric() {
            let _ = writeln!(text, "        labels: {{ metric: {} }}", quoted(metric));
        }
    }
    for (test, alerts, _) in all.iter().filter(|(_, alerts, _)| !alerts.is_empty()) {
        let _ = writeln!(
            text,
            "  - name: {}\n    rules:",
            quoted(&format!("{} {}", run.suite, test.title()))
        );
        for alert in alerts {
            text.push_str(&rule(run, test, alert));
        }
        let burns = burns(test);
        if !burns.is_empty() {
            text.push_str(
                "      # How fast the error budget is used up (SRE workbook, two windows), scaled to the length of the test.\n",
            );
            text.push_str("      # In production the windows are 1h with 5m, and 6h with 30m.\n");
        }
        for burn in burns {
            text.push_str(&burn.rule(run, test));
        }
    }
    if text.ends_with("groups:\n") {
        text.truncate(text.len() - 1);
        text.push_str(" []\n");
    }
    text
}

fn rule(run: &RunRecord, test: &TestRecord, alert: &Alert) -> String {
    let title = test.title();
    let mut labels = vec![("suite", run.suite.as_str()), ("test", title.as_str())];
    labels.extend(alert.figure.metric().map(|metric| ("metric", metric)));
    let selector = selector(&labels);
    let condition = format!(
        "{}{selector} {} {}",
        alert.figure.series(),
        alert.operator.sign(),
        alert.bound
    );
    let mut text = format!(
        "      - alert: {}\n        expr: {}\n        for: {FOR_S}s\n        labels: {{ severity: {} }}\n        \
         annotations:\n",
        alert.name,
        quoted(&condition),
        alert.severity()
    );
    let value = "{{ $value | printf \"%.3f\" }}";
    for (name, sentence) in alert.annotations(run, test, value) {
        let _ = writeln!(text, "          {name}: {}", quoted(&sentence));
    }
    text
}

impl Alert {
    pub(super) const fn severity(&self) -> &'static str {
        if self.figure.is_of_resources() {
            "warning"
        } else {
            "critical"
        }
    }

    /// With the value as the template or as a unit test has it.
    pub(super) fn annotations(
        &self,
        run: &RunRecord,
        test: &TestRecord,
        value: &str,
    ) -> [(&'static str, String); 2] {
        let asked = self.judgements.join(", ");
        let summary = format!(
            "{} of {} is {value}; the alert fires at {}",
            escaped(&self.figure.text()),
            escaped(&test.title()),
            escaped(&self.condition())
        );
        let description = format!("From {} of the run {}.", escaped(&asked), escaped(&run.run));
        [("summary", summary), ("description", description)]
    }
}

/// Where a figure comes from in what the output `prometheus` writes.
fn source(figure: &Figure, selector: &str) -> String {
    let latencies = rate("k6_http_req_duration_seconds", selector);
    let requests = rate("k6_http_reqs_total", selector);
    let share = |expected: &str| {
        let selector = format!("{selector}, expected_response=\"{expected}\"");
        let part = rate("k6_http_reqs_total", &selector);
        format!("({part} or 0 * {requests}) / ({requests} > 0)")
    };
    match figure {
        Figure::Mean => mean(&latencies, "1000 * "),
        Figure::P50 => quantile(0.5, &latencies, "1000 * "),
        Figure::P95 => quantile(0.95, &latencies, "1000 * "),
        Figure::P99 => quantile(0.99, &latencies, "1000 * "),
        Figure::ErrorRatio => share("false"),
        Figure::SuccessRatio => share("true"),
        Figure::Cpu | Figure::Memory => String::new(),
        Figure::Metric(asked) => source_of_metric(asked, selector),
    }
}

/// The same for a metric, or the part of it that has the tags.
fn source_of_metric(asked: &MetricFigure, selector: &str) -> String {
    let mut selector = selector.to_owned();
    for (name, value) in &asked.tags {
        let _ = write!(selector, ", {name}={}", quoted(value));
    }
    let named = |ending: &str| format!("k6_{}{ending}", asked.base);
    let (unit, scale) = match asked.contains.as_str() {
        "time" => ("_seconds", "1000 * "),
        "data" => ("_bytes", ""),
        _ => ("", ""),
    };
    match (asked.kind.as_str(), asked.aggregate.as_str()) {
        ("counter", "count") => format!("{BY} ({}{{{selector}}})", named("_total")),
        ("counter", _) => rate(&named("_total"), &selector),
        ("rate", _) => {
            let all = rate(&named("_values_total"), &selector);
            let part = rate(&named("_trues_total"), &selector);
            format!("{part} / ({all} > 0)")
        }
        ("gauge", _) => format!(
            "{scale}max by (testid, suite, test) (k6_{}{{{selector}}})",
            asked.base
        ),
        (_, aggregate) => {
            let values = rate(&named(unit), &selector);
            match aggregate {
                "avg" => mean(&values, scale),
                "min" => quantile(0.0, &values, scale),
                "med" => quantile(0.5, &values, scale),
                "max" => quantile(1.0, &values, scale),
                other => quantile(share_of(other), &values, scale),
            }
        }
    }
}

const BY: &str = "sum by (testid, suite, test)";

fn rate(metric: &str, selector: &str) -> String {
    format!("{BY} (rate({metric}{{{selector}}}[30s]))")
}

fn quantile(share: f64, histogram: &str, scale: &str) -> String {
    format!("{scale}histogram_quantile({share}, {histogram})")
}

fn mean(histogram: &str, scale: &str) -> String {
    format!("{scale}histogram_sum({histogram}) / histogram_count({histogram})")
}

/// 0.95 of `p(95)`; digits that the division adds are left out.
fn share_of(aggregate: &str) -> f64 {
    let inner = aggregate.trim_start_matches("p(").trim_end_matches(')');
    let percent: f64 = inner.trim().parse().unwrap_or(50.0);
    (percent * 1e10).round() / 1e12
}

/// `{name="value", …}`.
pub(super) fn selector(labels: &[(&str, &str)]) -> String {
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={}", quoted(value)))
        .collect();
    format!("{{{}}}", labels.join(", "))
}

/// In double quotes, as JSON, YAML and PromQL read it alike.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(visible(text)).to_string()
}

/// On one line, without what Go's templates would take for theirs.
fn escaped(text: &str) -> String {
    visible(text).replace("{{", "{ {")
}

fn visible(text: &str) -> String {
    let visible = |character: char| match crate::escape::visible(character) {
        '\n' | '\r' | '\t' => ' ',
        other => other,
    };
    text.chars().map(visible).collect()
}
