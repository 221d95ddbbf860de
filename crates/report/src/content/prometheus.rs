//! Prometheus' measurements of the target, beside those of this program.

use serde_json::Value;

use super::Limits;
use crate::escape::clipped;
use crate::number::{DASH, bytes, change, figure, or_dash};
use crate::record::TestRecord;
use crate::table::Table;

/// One row per figure; empty if no Prometheus was queried.
pub fn table(test: &TestRecord, limits: &Limits) -> Table {
    let mut table = Table::new(
        "Beside Prometheus",
        &[
            "figure",
            "#here",
            "source",
            "#Prometheus",
            "#apart",
            "query",
        ],
    );
    let asked = test.analysis.get("prometheus");
    let figures = asked.and_then(|asked| asked["figures"].as_array());
    for row in figures.into_iter().flatten() {
        let number = |name: &str| {
            let value = row[name].as_f64();
            match row["unit"].as_str() {
                Some("bytes") => or_dash(value, bytes),
                _ => or_dash(value, figure),
            }
        };
        let text = |name: &str| row[name].as_str().unwrap_or(DASH).to_owned();
        let query = match &row["error"] {
            Value::String(error) => error.clone(),
            _ => text("query"),
        };
        table.row(vec![
            text("figure").replace('_', " ").into(),
            number("own").into(),
            text("own_source").into(),
            number("prometheus").into(),
            or_dash(row["apart"].as_f64(), change).into(),
            clipped(&query, limits.text).into(),
        ]);
    }
    table
}
