//! Axes: positions of values and of ticks.

use crate::number::{figure, seconds};

/// Positions on an axis run from 0 to this.
pub const FULL: f64 = 1000.0;

#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The quantity and its unit.
    pub title: String,
    pub scale: Scale,
    pub from: f64,
    pub to: f64,
    pub labels: Labels,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Linear,
    Log,
    /// Shares q below 1, at the position log(1 / (1 - q)): each further nine is as wide as the last.
    Percentile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    Figures,
    /// Seconds, shown as durations.
    Times,
    Percent,
}

impl Axis {
    /// From 0 to a round number above `largest`.
    pub fn from_zero(title: &str, largest: f64, labels: Labels) -> Self {
        let largest = if largest.is_finite() && largest > 0.0 {
            largest
        } else {
            1.0
        };
        let step = nice_step(largest / 4.0);
        Self {
            title: title.to_owned(),
            scale: Scale::Linear,
            from: 0.0,
            to: (largest / step).ceil() * step,
            labels,
        }
    }

    /// An axis of the seconds of a test.
    pub fn time(length_s: f64) -> Self {
        Self {
            title: "time".to_owned(),
            scale: Scale::Linear,
            from: 0.0,
            to: if length_s > 0.0 { length_s } else { 1.0 },
            labels: Labels::Times,
        }
    }

    /// A logarithmic axis around values above 0.
    pub fn log(title: &str, smallest: f64, largest: f64) -> Self {
        let floor = 10f64.powf(smallest.max(1e-9).log10().floor());
        let ceiling = largest.max(smallest).max(1e-9);
        Self {
            title: title.to_owned(),
            scale: Scale::Log,
            from: floor,
            to: if ceiling > floor {
                ceiling * 1.1
            } else {
                floor * 10.0
            },
            labels: Labels::Figures,
        }
    }

    /// An axis of percentiles from 0 up to the largest share that is shown, below 1.
    pub fn percentiles(largest: f64) -> Self {
        Self {
            title: "percentile".to_owned(),
            scale: Scale::Percentile,
            from: 0.0,
            to: largest.clamp(0.9, 0.999_999),
            labels: Labels::Percent,
        }
    }

    /// The position of a value, 0 to [`FULL`]; values beyond the axis are placed at its end.
    pub fn place(&self, value: f64) -> f64 {
        let (from, to, at) = match self.scale {
            Scale::Linear => (self.from, self.to, value),
            Scale::Log => (
                self.from.log10(),
                self.to.log10(),
                value.max(self.from).log10(),
            ),
            Scale::Percentile => (0.0, nines(self.to), nines(value)),
        };
        if to > from {
            (FULL * (at - from) / (to - from)).clamp(0.0, FULL)
        } else {
            0.0
        }
    }

    /// Values with their labels, ascending.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => self.linear_ticks(),
            Scale::Log => self.log_ticks(),
            Scale::Percentile => [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999]
                .into_iter()
                .filter(|share| *share <= self.to && (*share > 0.0 || self.to < 0.9998))
                .map(|share| (share, percentile_label(share)))
                .collect(),
        }
    }

    fn linear_ticks(&self) -> Vec<(f64, String)> {
        let range = self.to - self.from;
        let step = match self.labels {
            Labels::Times => time_step(range / 5.0),
            _ => nice_step(range / 5.0),
        };
        let first = (self.from / step).ceil() as i64;
        let last = (self.to / step * (1.0 + 1e-9)).floor() as i64;
        (first..=last.min(first + 20))
            .map(|tick| tick as f64 * step)
            .map(|value| (value, self.label(value)))
            .collect()
    }

    fn log_ticks(&self) -> Vec<(f64, String)> {
        let decades = self.from.log10().round() as i32..=self.to.log10().floor() as i32;
        let few = self.to / self.from < 200.0;
        let within: &[f64] = if few { &[1.0, 2.0, 5.0] } else { &[1.0] };
        decades
            .flat_map(|decade| within.iter().map(move |of| of * 10f64.powi(decade)))
            .filter(|value| *value <= self.to)
            .map(|value| (value, self.label(value)))
            .collect()
    }

    /// A value in the format of the axis.
    pub fn label(&self, value: f64) -> String {
        match self.labels {
            Labels::Times => short_time(value),
            Labels::Percent => format!("{} %", plain(100.0 * value)),
            Labels::Figures => plain(value),
        }
    }
}

fn nines(share: f64) -> f64 {
    -(1.0 - share.clamp(0.0, 0.999_999_9)).log10()
}

fn percentile_label(share: f64) -> String {
    if share == 0.0 {
        return "0 %".to_owned();
    }
    let digits = format!("{:.5}", 100.0 * share);
    format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// A round number without redundant decimals.
fn plain(value: f64) -> String {
    let text = figure(value);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn short_time(value: f64) -> String {
    if value >= 60.0 {
        return seconds(value);
    }
    format!("{} s", plain(value))
}

/// 1, 2 or 5 times a power of ten, at least `least`.
fn nice_step(least: f64) -> f64 {
    let power = 10f64.powf(least.max(1e-12).log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0];
    let fitting = times
        .iter()
        .find(|times| *times * power >= least * 0.999_999);
    fitting.unwrap_or(&10.0) * power
}

/// A step that is usual on a clock.
fn time_step(least: f64) -> f64 {
    const STEPS: [f64; 13] = [
        60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 21_600.0, 43_200.0,
        86_400.0, 172_800.0,
    ];
    if least <= 15.0 {
        return nice_step(least).min(20.0);
    }
    if least <= 30.0 {
        return 30.0;
    }
    STEPS
        .into_iter()
        .find(|step| *step >= least)
        .unwrap_or_else(|| nice_step(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_from_zero_ends_at_a_round_number() {
        let axis = Axis::from_zero("requests/s", 87.0, Labels::Figures);
        assert_eq!(axis.to, 100.0);
        let labels: Vec<String> = axis.ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(axis.place(50.0), 500.0);
        assert_eq!(axis.place(1e9), FULL);
    }

    #[test]
    fn each_further_nine_is_as_wide_as_the_last() {
        let axis = Axis::percentiles(0.999);
        let (a, b, c) = (axis.place(0.9), axis.place(0.99), axis.place(0.999));
        assert!((b - a - (c - b)).abs() < 1e-6, "{a} {b} {c}");
        let labels: Vec<String> = axis.ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0 %", "50 %", "90 %", "99 %", "99.9 %"]);
    }

    #[test]
    fn seconds_have_the_steps_of_a_clock() {
        let labels = |length| -> Vec<String> {
            Axis::time(length)
                .ticks()
                .into_iter()
                .map(|(_, label)| label)
                .collect()
        };
        assert_eq!(labels(3.0), ["0 s", "1 s", "2 s", "3 s"]);
        assert_eq!(
            labels(600.0),
            ["0 s", "2 min", "4 min", "6 min", "8 min", "10 min"]
        );
        assert_eq!(labels(86_400.0), ["0 s", "6 h", "12 h", "18 h", "24 h"]);
    }

    #[test]
    fn nothing_measured_is_an_axis_all_the_same() {
        for largest in [0.0, f64::NAN, f64::INFINITY, -3.0] {
            assert_eq!(Axis::from_zero("x", largest, Labels::Figures).to, 1.0);
        }
        assert!(!Axis::log("x", 0.0, 0.0).ticks().is_empty());
    }
}
