//! Whole judgements of small records.

mod analysed;
mod bounds;
mod calibrated;
mod faults;
mod laws;
mod outcomes;
mod runs;
mod trusted;

use report::record::{Judgement, TestRecord};

use super::sample::Sample;

/// The judgement whose id has this suffix.
fn judgement<'a>(record: &'a TestRecord, ending: &str) -> &'a Judgement {
    let ids: Vec<&str> = record.judgements.iter().map(|it| it.id.as_str()).collect();
    let found = record.judgements.iter().find(|it| it.id.ends_with(ending));
    found.unwrap_or_else(|| panic!("no {ending} in {ids:?}"))
}

fn graded() -> Sample {
    Sample::of("acis", "load")
}
