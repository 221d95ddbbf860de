//! Derives the outcome from the measurements: passed, failed, or inconclusive.
//!
//! Pure: no clock, no I/O, no randomness. [`judge`] fills the judgements, findings, ledger, analysis,
//! reasons and outcome of one test, [`judge_run`] those that span tests, [`compare_with_truth`] the column
//! that compares the analysis with a simulated target's truth.
//!
//! Statements about the system are three-valued (N-01): held if the whole 95 % interval is within the
//! bound, crossed if the whole interval is beyond it, otherwise inconclusive. k6's thresholds are decided
//! by the sample alone, as in k6; the report adds whether the sample proves them. A figure without
//! measurements never holds.
//!
//! ## Fields with an open schema that are read
//!
//! | field | read as |
//! |---|---|
//! | `k6_summary.metrics.NAME` | `{type, values, thresholds: {EXPRESSION: {ok}}}`, the data of `handleSummary` |
//! | `k6_summary.without_samples` | names of metrics that have no sample |
//! | `k6_summary.trends.NAME` | `{count, deviation, values, intervals}` of a trend, independent of what the script
//! prints |
//! | `analysis.search` | `{passed, failed, end}` of a capacity search |
//! | `observed.target` of the host `system` | `in_flight`: the requests that the target counts |
//! | `observed.*.other` | `disk_iops`; `queue`; `cache_hit_ratio`; `leaked_bytes`; every `…_ratio` is the busy share of a part, such as `pool_db_ratio` |
//! | `observed.simulator.other` | `degraded`: 1 while the simulated target itself is late; its `answers` since the last
//! sample, with its `late_answers` (10 ms) and `very_late_answers` (100 ms) |
//! | `observed.events[].detail.crash` | of an injected crash: `{crashed, instances, in_flight, visits_per_request, detect_s, restart_s}` |
//! | `observed.generator.other` | `lateness_ms`, with the number of `starts`, or else of `looks` at the driver's
//! threads, and how many of them were `late_…` (10 ms) and `very_late_…` (100 ms); `dropped_samples`, `clock_step_s`,
//! `descriptors_ratio`, `ports_ratio` |

mod alerts;
mod bottleneck;
mod capacity;
mod checks;
mod decide;
mod effect;
mod expected;
mod expression;
mod faults;
mod figure;
mod grades;
mod ladder;
mod laws;
mod ledger;
mod named;
mod outcome;
mod phases;
mod reach;
mod readable;
mod recovery;
mod relative;
mod replay;
mod rows;
mod rules;
mod run;
#[cfg(test)]
mod sample;
mod slo;
mod soak;
mod step;
mod thresholds;
mod truth;
mod verdict;
mod window;
mod workload;

pub use alerts::{LiveAlerts, Notice, latency_alerts};
pub use faults::recovered;
pub use readable::check;
pub use run::judge_run;
pub use slo::{Slo, metric_of_component};
pub use step::{Met, Tried, Until, is_back, tried};
pub use truth::compare_with_truth;

use indexmap::IndexMap;
use report::record::TestRecord;

use crate::file::SuiteFile;
use crate::plan::PlannedTest;
use verdict::Sheet;

/// Further facts beside the plan and the record.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The bounds of the target's components by name, from its document.
    pub slo: Option<&'a IndexMap<String, Slo>>,
    /// Completed and failed visits of each of the target's components.
    pub visits: Option<&'a IndexMap<String, [u64; 2]>>,
    /// The same test of the previous run, for relative bounds.
    pub previous: Option<&'a TestRecord>,
}

/// The input of the parts of the judgement.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub test: &'a PlannedTest,
    pub file: &'a SuiteFile,
    pub record: &'a TestRecord,
    pub known: Known<'a>,
}

/// Judges one test, one part or one cell by the requirements of the suite file. Repeated calls give the
/// same record: earlier results of the judgement are replaced, entries of other origin are preserved.
pub fn judge(test: &PlannedTest, file: &SuiteFile, record: &mut TestRecord) {
    judge_with(test, file, record, Known::default());
}

/// The same with further facts.
pub fn judge_with(test: &PlannedTest, file: &SuiteFile, record: &mut TestRecord, known: Known<'_>) {
    let mut sheet = Sheet::new(&record.title());
    {
        let case = Case {
            test,
            file,
            record,
            known,
        };
        workload::analyse(&case, &mut sheet);
        laws::analyse(&case, &mut sheet);
        ladder::analyse(&case, &mut sheet);
        capacity::analyse(&case, &mut sheet);
        soak::analyse(&case, &mut sheet);
        bottleneck::analyse(&case, &mut sheet);
        phases::judge(&case, &mut sheet);
        thresholds::judge(&case, &mut sheet);
        grades::judge(&case, &mut sheet);
        slo::judge(&case, &mut sheet);
        rows::judge(&case, &mut sheet);
        alerts::judge(&case, &mut sheet);
        checks::judge(&case, &mut sheet);
        recovery::judge(&case, &mut sheet);
        faults::judge(&case, &mut sheet);
        relative::judge(&case, &mut sheet);
        named::judge(&case, &mut sheet);
        rules::find(&case, &mut sheet);
        ledger::fill(&case, &mut sheet);
    }
    sheet.write_into(record);
    let mut sheet = Sheet::new(&record.title());
    replay::judge(record, &mut sheet);
    sheet.write_into(record);
    outcome::conclude(test, record);
}

#[cfg(test)]
mod tests;
