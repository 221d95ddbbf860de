//! The rules as a file for Prometheus.

use std::fmt::Write as _;

use super::{Alert, FOR_S, Figure, TESTS, alerts};
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
    let used = |figure: &Figure| {
        let mut alerts = all.iter().flat_map(|(_, alerts, _)| alerts);
        alerts.any(|alert| alert.figure == *figure)
    };
    text.push_str("groups:\n");
    let mut recorded = Figure::ALL
        .into_iter()
        .filter(|figure| used(figure) && !figure.is_of_resources())
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
    }
    if text.ends_with("groups:\n") {
        text.truncate(text.len() - 1);
        text.push_str(" []\n");
    }
    text
}

fn rule(run: &RunRecord, test: &TestRecord, alert: &Alert) -> String {
    let selector = selector(&[("suite", &run.suite), ("test", &test.title())]);
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
            self.figure.text(),
            escaped(&test.title()),
            self.condition()
        );
        let description = format!("From {} of the run {}.", escaped(&asked), escaped(&run.run));
        [("summary", summary), ("description", description)]
    }
}

/// Where a figure comes from in what the output `prometheus` writes.
fn source(figure: Figure, selector: &str) -> String {
    const BY: &str = "sum by (testid, suite, test)";
    let rate = |metric: &str, more: &str| format!("{BY} (rate({metric}{{{selector}{more}}}[30s]))");
    let latencies = rate("k6_http_req_duration_seconds", "");
    let quantile = |share: f64| format!("1000 * histogram_quantile({share}, {latencies})");
    let requests = rate("k6_http_reqs_total", "");
    let share = |expected: &str| {
        let part = rate(
            "k6_http_reqs_total",
            &format!(", expected_response=\"{expected}\""),
        );
        format!("({part} or 0 * {requests}) / ({requests} > 0)")
    };
    match figure {
        Figure::Mean => {
            format!("1000 * histogram_sum({latencies}) / histogram_count({latencies})")
        }
        Figure::P50 => quantile(0.5),
        Figure::P95 => quantile(0.95),
        Figure::P99 => quantile(0.99),
        Figure::ErrorRatio => share("false"),
        Figure::SuccessRatio => share("true"),
        Figure::Cpu | Figure::Memory => String::new(),
    }
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
