//! The content of a record as tables and charts, independent of the format.

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

/// Limits on the displayed part of a record; the rest is folded into counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Number of tests shown in full; all are in the overview.
    pub tests: usize,
    /// Number of rows of the overview.
    pub overview: usize,
    /// Number of points of a curve.
    pub points: usize,
    /// Number of rows of the table beside a chart.
    pub figures: usize,
    pub endpoints: usize,
    /// Number of judgements, findings, events, errors and checks, each.
    pub entries: usize,
    /// Maximum length of a name or sentence, in characters.
    pub text: usize,
}

impl Limits {
    /// From the full content to a size that fits any run.
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
