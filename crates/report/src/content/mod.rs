//! What a record says, as tables and charts that know no format.

pub mod alerts;
pub mod events;
pub mod judged;
pub mod ladder;
mod ladder_shown;
pub mod measured;
pub mod method;
pub mod over_time;
pub mod overview;
pub mod prometheus;
pub mod resources;
pub mod spectrum;

/// How much of a record is shown; the rest is folded into counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Tests shown in full; all are in the overview.
    pub tests: usize,
    /// Rows of the overview.
    pub overview: usize,
    /// Points of a curve.
    pub points: usize,
    /// Rows of the table beside a chart.
    pub figures: usize,
    pub endpoints: usize,
    /// Judgements, findings, events, errors, checks: of each.
    pub entries: usize,
    /// Characters of a name or sentence.
    pub text: usize,
}

impl Limits {
    /// From all that people look at to what fits whatever the run was.
    pub const LEVELS: [Self; 4] = [
        Self {
            tests: 60,
            overview: 400,
            points: 360,
            figures: 40,
            endpoints: 200,
            entries: 200,
            text: 600,
        },
        Self {
            tests: 24,
            overview: 300,
            points: 180,
            figures: 20,
            endpoints: 100,
            entries: 100,
            text: 400,
        },
        Self {
            tests: 10,
            overview: 200,
            points: 120,
            figures: 12,
            endpoints: 50,
            entries: 50,
            text: 250,
        },
        Self {
            tests: 4,
            overview: 100,
            points: 60,
            figures: 8,
            endpoints: 25,
            entries: 25,
            text: 120,
        },
    ];
}
