//! The section of one test.

use std::fmt::Write as _;

use crate::content::{
    Limits, alerts, events, judged, ladder, measured, over_time, overview, prometheus, resources,
    spectrum,
};
use crate::escape::{clipped, escape};
use crate::number::seconds;
use crate::record::{Finding, TestRecord};
use crate::table::Table;

pub fn section(test: &TestRecord, at: usize, limits: &Limits, html: &mut String) {
    let prefix = format!("t{at}");
    let (word, mark) = overview::outcome(test.outcome);
    let _ = write!(
        html,
        "<section class=\"test\" id=\"{prefix}\" aria-labelledby=\"{prefix}-h\"><div class=\"head\">\
         <h2 id=\"{prefix}-h\">{}</h2> <span class=\"badge {mark}\">{word}</span></div>\n<p class=\"note\">{}</p>\n",
        escape(&clipped(&test.title(), limits.text)),
        escape(&about(test))
    );
    for reason in test.reasons.iter().take(limits.entries) {
        let _ = writeln!(html, "<p>{}</p>", escape(&clipped(reason, limits.text)));
    }
    key_figures(test, html);
    html.push('\n');
    part(html, "Requirements", &[judged::judgements(test, limits)]);
    charts(test, &prefix, limits, html);
    part(html, "Phases", &[measured::phases(test)]);
    part(
        html,
        "Endpoints",
        &[
            measured::endpoints(test, limits),
            measured::errors(test, limits),
        ],
    );
    let checks = [
        measured::checks(test, limits),
        measured::exceptions(test, limits),
    ];
    part(html, "Checks", &checks);
    ladder_part(test, &prefix, html);
    resources_part(test, &prefix, limits, html);
    part(
        html,
        "Beside Prometheus",
        &[prometheus::table(test, limits)],
    );
    part(
        html,
        "Faults and reactions",
        &[
            events::table(test, limits),
            events::listed(test, "faults", "What the faults did to clients", limits),
            events::listed(
                test,
                "blast_radius",
                "Endpoints affected by the faults",
                limits,
            ),
            events::listed(
                test,
                "fault_controls",
                "Concurrent control groups: the other endpoints at the time of each fault",
                limits,
            ),
            events::listed(
                test,
                "drill_reach",
                "Detectors affected by the drills",
                limits,
            ),
            events::listed(
                test,
                "drill_controls",
                "Concurrent control groups: the other detectors during each drill",
                limits,
            ),
            events::resilience(test, limits),
        ],
    );
    part(html, "Alerts, replayed", &[alerts::table(test, limits)]);
    recommendations(&judged::findings(test), limits, html);
    part(html, "Estimates and truth", &[judged::truths(test, limits)]);
    part(
        html,
        "Validity of the measurement",
        &[judged::ledger(test, limits)],
    );
    let computed = events::analysis(test, limits);
    if !computed.is_empty() {
        fold(html, "All values of the whole test", &computed);
    }
    html.push_str("</section>\n");
}

/// The kind of the test.
fn about(test: &TestRecord) -> String {
    let mut about = format!("{} model, {}", test.model, test.content);
    if !test.classes.is_empty() {
        let _ = write!(about, ", users: {}", test.classes.join(", "));
    }
    let _ = write!(
        about,
        ", {} from {} on",
        seconds(test.duration_s),
        seconds(test.begin_s)
    );
    if !test.complete {
        about.push_str(", not complete");
    }
    about
}

/// The most important figures of a test, as a list of names and values.
pub(super) fn key_figures(test: &TestRecord, html: &mut String) {
    html.push_str("<dl class=\"keys\">");
    for (name, value) in measured::key_figures(test) {
        let _ = write!(
            html,
            "<div><dt>{name}</dt><dd>{}</dd></div>",
            escape(&value)
        );
    }
    html.push_str("</dl>");
    if let Some(note) = measured::without_response(test) {
        let _ = write!(html, "<p class=\"note\">{}</p>", escape(&note));
    }
}

/// A heading and its tables; nothing if all are empty.
fn part(html: &mut String, title: &str, tables: &[Table]) {
    if tables.iter().all(Table::is_empty) {
        return;
    }
    let _ = writeln!(html, "<h3>{title}</h3>");
    for table in tables.iter().filter(|table| !table.is_empty()) {
        html.push_str(&table.to_html());
    }
}

fn fold(html: &mut String, title: &str, table: &Table) {
    let _ = writeln!(
        html,
        "<details class=\"fold\"><summary>{}</summary>{}</details>",
        escape(title),
        table.to_html()
    );
}

fn charts(test: &TestRecord, prefix: &str, limits: &Limits, html: &mut String) {
    let mut charts = over_time::charts(test, prefix, limits);
    charts.extend(spectrum::chart(test, &format!("{prefix}-spectrum"), limits));
    if charts.is_empty() {
        return;
    }
    html.push_str("<h3>Over time, and by percentile</h3>\n<div class=\"charts\">\n");
    for chart in charts {
        html.push_str(&chart.to_html());
    }
    html.push_str("</div>\n");
}

fn ladder_part(test: &TestRecord, prefix: &str, html: &mut String) {
    let Some(ladder) = ladder::analyse(test) else {
        return;
    };
    html.push_str("<h3>Ladder and capacity</h3>\n");
    for sentence in ladder.sentences() {
        let _ = writeln!(html, "<p>{}</p>", escape(&sentence));
    }
    let _ = write!(
        html,
        "<div class=\"charts\">{}{}</div>\n{}{}",
        ladder.chart(&format!("{prefix}-ladder")).to_html(),
        ladder
            .efficiency_chart(&format!("{prefix}-efficiency"))
            .to_html(),
        ladder.estimates_table().to_html(),
        ladder.steps_table().to_html()
    );
}

fn resources_part(test: &TestRecord, prefix: &str, limits: &Limits, html: &mut String) {
    let charts = resources::charts(test, prefix, limits);
    let table = resources::table(test, limits);
    if charts.is_empty() && table.is_empty() {
        return;
    }
    html.push_str("<h3>Resources</h3>\n");
    if let Some(source) = &test.observed.target_source {
        let _ = writeln!(
            html,
            "<p class=\"note\">The target's figures: {}.</p>",
            escape(source)
        );
    }
    if !charts.is_empty() {
        html.push_str("<div class=\"charts\">\n");
        for chart in charts {
            html.push_str(&chart.to_html());
        }
        html.push_str("</div>\n");
    }
    if !table.is_empty() {
        fold(html, "Means and largest values of all resources", &table);
    }
}

fn recommendations(findings: &[&Finding], limits: &Limits, html: &mut String) {
    if findings.is_empty() {
        return;
    }
    html.push_str("<h3>Recommendations</h3>\n<ul class=\"findings\">");
    for finding in findings.iter().take(limits.entries) {
        let (word, mark) = judged::severity(finding.severity);
        let window = finding.window_s.map_or_else(String::new, |[from, to]| {
            format!(" Window: {} to {}.", seconds(from), seconds(to))
        });
        let evidence = clipped(&evidence(finding), limits.text);
        let _ = write!(
            html,
            "<li class=\"{mark}\"><p><span class=\"badge {mark}\">{word}</span> {}</p><p><b>{}</b></p>\
             <p class=\"note\">Evidence: {evidence}.{window} It would be wrong if {}. <code>{}</code></p></li>",
            escape(&clipped(&finding.text, limits.text)),
            escape(&clipped(&finding.action, limits.text)),
            escape(clipped(&finding.falsified_by, limits.text).trim_end_matches('.')),
            escape(&finding.id),
            evidence = escape(&evidence),
        );
    }
    html.push_str("</ul>\n");
    if findings.len() > limits.entries {
        let _ = writeln!(
            html,
            "<p class=\"note\">{} more are in report.json.</p>",
            findings.len() - limits.entries
        );
    }
}

/// The figures of a finding: name and value.
fn evidence(finding: &Finding) -> String {
    match &finding.evidence {
        serde_json::Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{} {}", name.replace('_', " "), events::text(value)))
                .collect();
            fields.join(", ")
        }
        other => events::text(other),
    }
}
