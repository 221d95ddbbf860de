//! Faults, reactions and alerts over time.

use serde_json::Value;

use super::Limits;
use crate::alerting;
use crate::escape::clipped;
use crate::number::{figure, seconds};
use crate::record::{Event, EventKind, TestRecord};
use crate::table::{Cell, Table};

/// The faults of a test: name, start and end. One that was never reverted lasts until the end.
///
/// The end of a fault belongs to the begin with the same detail, otherwise to the earliest open one.
pub fn faults(test: &TestRecord) -> Vec<(String, f64, f64)> {
    let mut open: Vec<&Event> = Vec::new();
    let mut found = Vec::new();
    for event in &test.observed.events {
        match event.kind {
            EventKind::FaultInjected => open.push(event),
            EventKind::FaultReverted if !open.is_empty() => {
                let same = open.iter().position(|begin| name(begin) == name(event));
                let begin = open.remove(same.unwrap_or(0));
                found.push((name(begin), begin.at_s, event.at_s));
            }
            _ => {}
        }
    }
    found.extend(
        open.into_iter()
            .map(|begin| (name(begin), begin.at_s, test.duration_s)),
    );
    found
}

/// The name of a fault: `fault`, `name` or `target` of its detail, otherwise its sentence.
fn name(event: &Event) -> String {
    ["fault", "name", "target", "detector"]
        .iter()
        .find_map(|key| event.detail.get(key)?.as_str())
        .unwrap_or(&event.text)
        .to_owned()
}

/// All events except the begins of phases, by time.
pub fn table(test: &TestRecord, limits: &Limits) -> Table {
    let mut table = Table::new("Events", &["at", "what", "event"]);
    let mut events: Vec<&Event> = test
        .observed
        .events
        .iter()
        .filter(|event| event.kind != EventKind::Phase)
        .collect();
    events.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    table.folded = events.len().saturating_sub(limits.entries);
    table.folded_name = "events";
    for event in events.into_iter().take(limits.entries) {
        let (word, mark) = word(event.kind);
        table.row(vec![
            seconds(event.at_s).into(),
            Cell::marked(word, mark),
            clipped(&event.text, limits.text).into(),
        ]);
    }
    table
}

fn word(kind: EventKind) -> (&'static str, &'static str) {
    match kind {
        EventKind::Phase => ("phase", "quiet"),
        EventKind::Setting => ("setting", "quiet"),
        EventKind::FaultInjected => ("fault injected", "bad"),
        EventKind::FaultReverted => ("fault reverted", "good"),
        EventKind::Reaction => ("reaction", "info"),
        EventKind::Alert => ("alert", "warn"),
        EventKind::AlertResolved => ("alert resolved", "good"),
        EventKind::Warning => ("warning", "warn"),
        EventKind::Interrupted => ("interrupted", "bad"),
    }
}

/// The figures of an analysis, one row each, under the path of their names.
pub fn analysis(test: &TestRecord, limits: &Limits) -> Table {
    let mut table = Table::new("Computed from the whole test", &["figure", "#value"]);
    let mut all = Vec::new();
    // The replay of alerts has its own table.
    let others = test
        .analysis
        .iter()
        .filter(|(name, _)| *name != alerting::KEY);
    for (name, value) in others {
        flatten(name, value, 0, &mut all);
    }
    table.folded = all.len().saturating_sub(limits.entries.min(80));
    table.folded_name = "figures";
    for (path, value) in all.into_iter().take(limits.entries.min(80)) {
        table.row(vec![
            clipped(&path, limits.text).into(),
            clipped(&value, limits.text).into(),
        ]);
    }
    table
}

/// An analysis that is a list of objects, such as `faults`, as a table with a column per field.
pub fn listed(test: &TestRecord, name: &str, title: &str, limits: &Limits) -> Table {
    let items = test.analysis.get(name).and_then(Value::as_array);
    let rows: Vec<&serde_json::Map<String, Value>> = items
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    let Some(first) = rows.first() else {
        return Table::default();
    };
    let fields: Vec<&String> = first.keys().take(12).collect();
    let titles: Vec<String> = fields.iter().map(|field| field.replace('_', " ")).collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let mut table = Table::new(title, &titles);
    table.folded = rows.len().saturating_sub(limits.entries);
    table.folded_name = "entries";
    for row in rows.into_iter().take(limits.entries) {
        let cell = |field: &&String| {
            clipped(&text(row.get(*field).unwrap_or(&Value::Null)), limits.text).into()
        };
        table.row(fields.iter().map(cell).collect());
    }
    table
}

/// Litmus' resilience score, and its components.
pub fn resilience(test: &TestRecord, limits: &Limits) -> Table {
    let found = test.analysis.get("resilience");
    let score = found.and_then(|it| it.get("score_percent")?.as_f64());
    let (Some(found), Some(score)) = (found, score) else {
        return Table::default();
    };
    let caption = format!(
        "Resilience score {} %: the mean share of probes answered during the faults, by weight",
        figure(score)
    );
    let mut table = Table::new(caption, &["fault", "#weight", "#probes answered, %"]);
    let faults = found.get("faults").and_then(Value::as_array);
    let faults = faults.map(Vec::as_slice).unwrap_or_default();
    table.folded = faults.len().saturating_sub(limits.entries);
    table.folded_name = "faults";
    for fault in faults.iter().take(limits.entries) {
        let cell = |key: &str| text(fault.get(key).unwrap_or(&Value::Null));
        table.row(vec![
            clipped(&cell("fault"), limits.text).into(),
            cell("weight").into(),
            cell("probe_success_percent").into(),
        ]);
    }
    table
}

fn flatten(path: &str, value: &Value, depth: usize, all: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if depth < 4 => {
            for (name, value) in fields {
                flatten(&format!("{path}.{name}"), value, depth + 1, all);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) && depth < 4 => {
            for (at, value) in items.iter().enumerate() {
                flatten(&format!("{path}[{at}]"), value, depth + 1, all);
            }
        }
        other => all.push((path.to_owned(), text(other))),
    }
}

/// A JSON value as text.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => crate::number::DASH.to_owned(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), figure),
        Value::String(text) => text.clone(),
        Value::Bool(truth) => if *truth { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(text).collect();
            items.join(", ")
        }
        Value::Object(fields) => {
            let known = fields.iter().filter(|(_, value)| !value.is_null());
            let fields: Vec<String> = known
                .map(|(name, value)| format!("{} {}", name.replace('_', " "), text(value)))
                .collect();
            match fields.is_empty() {
                true => crate::number::DASH.to_owned(),
                false => fields.join(", "),
            }
        }
    }
}
