//! The replay of the alerts derived from the thresholds.

use super::Limits;
use crate::alerting::{Replayed, recorded};
use crate::escape::clipped;
use crate::record::TestRecord;
use crate::table::{Cell, Table};

/// Each alert, each time at which it would have fired, and the problems that none would have reported.
pub fn table(test: &TestRecord, limits: &Limits) -> Table {
    let Some(replay) = recorded(test) else {
        return Table::default();
    };
    let caption = format!(
        "Alerts generated from these thresholds, each for {} s",
        replay.for_s
    );
    let mut table = Table::new(caption, &["alert", "fires where", "would have fired"]);
    let mut rows: Vec<Vec<Cell>> = replay.alerts.iter().flat_map(rows).collect();
    rows.extend(replay.missing.iter().map(|missing| {
        let [from, to] = missing.window_s;
        vec![
            Cell::marked("none", "bad"),
            format!("{from} s to {to} s").into(),
            clipped(&missing.sentence(), limits.text).into(),
        ]
    }));
    table.folded = rows.len().saturating_sub(limits.entries);
    table.folded_name = "entries";
    rows.truncate(limits.entries);
    rows.into_iter().for_each(|row| table.row(row));
    table
}

fn rows(alert: &Replayed) -> Vec<Vec<Cell>> {
    let row = |fired: Cell| {
        vec![
            alert.alert.as_str().into(),
            alert.condition.as_str().into(),
            fired,
        ]
    };
    if alert.fired.is_empty() {
        return vec![row("never".into())];
    }
    let fired = alert.fired.iter();
    fired.map(|one| row(one.sentence().into())).collect()
}
