//! Charts as HTML with inline SVG, readable without a script.
//!
//! The plot is an SVG that stretches to the available width with constant stroke widths; labels are HTML,
//! so that they have the same size on a phone as on a wide screen. Every chart has a table with its
//! figures.

mod draw;
mod range;
mod scale;
mod spark;
mod thin;

pub use range::range;
pub use scale::{Axis, Labels};
pub use spark::spark;
pub use thin::{Bin, bins};

use crate::table::Table;

/// The identification of a chart: its id in the page, its title, and the unit of its values.
#[derive(Debug, Clone, Copy)]
pub struct Caption<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub unit: &'a str,
}

/// Lines, areas, steps, bars or dots over one x axis.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Unique within the page.
    pub id: String,
    pub title: String,
    /// A sentence that describes the chart for screen readers.
    pub description: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    /// Phases, as vertical bands.
    pub bands: Vec<Band>,
    /// Thresholds, as horizontal lines.
    pub limits: Vec<Limit>,
    /// Moments, as vertical lines.
    pub moments: Vec<Moment>,
    /// The figures as a table.
    pub data: Table,
}

#[derive(Debug, Clone)]
pub struct Series {
    pub name: String,
    /// A note in the legend, such as the peak.
    pub note: String,
    /// Index in the palette, 0 to 5; 6 is grey.
    pub colour: usize,
    pub shape: Shape,
    /// By ascending x; a missing y is a gap.
    pub points: Vec<(f64, Option<f64>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Line,
    /// A line without an area, for models.
    Dashed,
    Area,
    Step,
    Bars,
    Dots,
}

#[derive(Debug, Clone)]
pub struct Band {
    pub name: String,
    pub from: f64,
    pub to: f64,
    pub kind: BandKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BandKind {
    /// Judged load.
    Judged,
    /// Ramps, warm-ups, rests.
    Other,
    /// The time of a fault.
    Fault,
}

#[derive(Debug, Clone)]
pub struct Limit {
    pub name: String,
    pub y: f64,
}

#[derive(Debug, Clone)]
pub struct Moment {
    pub name: String,
    pub x: f64,
}
