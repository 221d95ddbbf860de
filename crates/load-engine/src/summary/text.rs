//! The end-of-test summary in k6's text layout.

use std::fmt::Write as _;

use load_metrics::{Contains, Kind};

use super::format::{percent, plain, value};
use super::{Check, MetricView, PartView, Summary, ThresholdView};

/// The level of detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Totals.
    #[default]
    Compact,
    /// Totals, then every scenario and group.
    Full,
}

const HIDDEN: [&str; 2] = ["checks", "group_duration"];

/// The arrangement of the metrics. The caller knows what its program measures.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// In the order of the page; metrics of no section are custom.
    pub sections: &'static [Section],
    /// The prefixes of metrics that only the full page shows.
    pub only_in_full: &'static [&'static str],
}

/// A titled section of metrics.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    pub title: &'static str,
    /// The prefixes of its metrics.
    pub prefixes: &'static [&'static str],
}

/// The text, ready to be printed.
pub fn to_text(summary: &Summary, mode: Mode, layout: &Layout) -> String {
    let mut page = Page {
        out: String::new(),
        unit: &summary.time_unit,
        mode,
        layout,
    };
    page.thresholds(summary);
    let _ = writeln!(page.out, "\n\n  █ TOTAL RESULTS \n");
    let checks = by_name(&summary.checks);
    page.checks(4, &checks.iter().collect::<Vec<_>>(), summary);
    page.metrics(4, &summary.metrics);
    if mode == Mode::Full {
        page.parts(summary);
    }
    page.out.push_str("\n\n\n");
    page.out
}

/// Checks of one name, whatever their groups, are one line of the totals.
fn by_name(checks: &[Check]) -> Vec<Check> {
    let mut all: Vec<Check> = Vec::new();
    for check in checks {
        match all.iter_mut().find(|known| known.name == check.name) {
            Some(known) => {
                known.passes += check.passes;
                known.fails += check.fails;
            }
            None => all.push(check.clone()),
        }
    }
    all
}

struct Page<'a> {
    out: String,
    unit: &'a str,
    mode: Mode,
    layout: &'a Layout,
}

/// A line of the metrics table: name, first value, further values.
struct Row {
    name: String,
    raw_length: usize,
    first: String,
    rest: Vec<String>,
    is_trend: bool,
}

impl Page<'_> {
    fn thresholds(&mut self, summary: &Summary) {
        let watched: Vec<_> = summary
            .metrics
            .iter()
            .filter(|metric| !metric.thresholds.is_empty())
            .collect();
        if watched.is_empty() {
            return;
        }
        self.out.push_str("\n\n  █ THRESHOLDS \n");
        for metric in &watched {
            // A sub-metric is shown below its parent if the parent also has thresholds.
            let parent = metric
                .filter
                .as_ref()
                .filter(|(parent, _)| watched.iter().any(|other| other.name == *parent));
            let (pad, name) = match parent {
                Some((_, suffix)) => ("      ", format!("{{{suffix}}}")),
                None => ("    ", metric.name.clone()),
            };
            let _ = writeln!(self.out, "\n{pad}{name}");
            for rule in &metric.thresholds {
                let mark = if rule.ok { '✓' } else { '✗' };
                let seen = self.observed(metric, rule);
                let _ = writeln!(
                    self.out,
                    "{pad}{mark} '{}' {}={seen}",
                    rule.text.trim(),
                    rule.aggregation
                );
            }
        }
    }

    fn observed(&self, metric: &MetricView, rule: &ThresholdView) -> String {
        let text = value(rule.observed, metric.kind, metric.contains, self.unit);
        if metric.kind == Kind::Counter && rule.aggregation == "rate" {
            return format!("{text}/s");
        }
        text
    }

    fn checks(&mut self, indent: usize, checks: &[&Check], summary: &Summary) {
        // A metric without samples is shown for a threshold on it or on a sub-metric.
        let wanted = summary.metric("checks").is_some();
        if checks.is_empty() && !(wanted && indent == 4) {
            return;
        }
        let passes: u64 = checks.iter().map(|check| check.passes).sum();
        let fails: u64 = checks.iter().map(|check| check.fails).sum();
        let total = passes + fails;
        let seconds = summary.run_time.as_secs_f64();
        let per_second = if seconds > 0.0 {
            total as f64 / seconds
        } else {
            0.0
        };
        // For one of them k6 divides by zero.
        let share = |count: u64, of_nothing: &str| match total {
            0 => of_nothing.to_owned(),
            total => percent(count as f64 / total as f64),
        };
        let row = |name: &str, first: String, rest: String| Row {
            name: name.to_owned(),
            raw_length: name.len(),
            first,
            rest: vec![rest],
            is_trend: false,
        };
        self.table(
            indent,
            &[
                row(
                    "checks_total",
                    total.to_string(),
                    format!("{}/s", plain(per_second)),
                ),
                row(
                    "checks_succeeded",
                    share(passes, "0.00%"),
                    format!("{passes} out of {total}"),
                ),
                row(
                    "checks_failed",
                    share(fails, "NaN%"),
                    format!("{fails} out of {total}"),
                ),
            ],
        );
        self.out.push('\n');
        for check in checks {
            self.check(indent, check);
        }
        if !checks.is_empty() {
            self.out.push('\n');
        }
    }

    fn check(&mut self, indent: usize, check: &Check) {
        let (
            pad,
            Check {
                name,
                passes,
                fails,
                ..
            },
        ) = (" ".repeat(indent), check);
        if *fails == 0 {
            let _ = writeln!(self.out, "{pad}✓ {name}");
            return;
        }
        let share = 100 * passes / (passes + fails);
        let deep = " ".repeat(2 * indent - 2);
        let _ = writeln!(
            self.out,
            "{pad}✗ {name}\n{deep}↳  {share}% — ✓ {passes} / ✗ {fails}"
        );
    }

    fn metrics(&mut self, indent: usize, metrics: &[MetricView]) {
        let shown: Vec<&MetricView> = metrics.iter().filter(|metric| self.shows(metric)).collect();
        let rows: Vec<Row> = shown.iter().map(|metric| self.row(metric)).collect();
        let widths = Widths::of(&rows);
        let pad = " ".repeat(indent);
        let sections = self.layout.sections.iter().map(Some);
        for section in [None].into_iter().chain(sections) {
            let title = section.map_or("CUSTOM", |section| section.title);
            let inside = |metric: &MetricView| {
                let of = self.layout.section(parent_name(metric));
                of.map(|of| of.title) == section.map(|section| section.title)
            };
            let lines = shown.iter().zip(&rows).filter(|(metric, _)| inside(metric));
            let lines: Vec<String> = lines.map(|(_, row)| widths.line(row)).collect();
            if lines.is_empty() {
                continue;
            }
            let _ = writeln!(self.out, "{pad}{title}");
            for line in lines {
                let _ = writeln!(self.out, "{pad}{line}");
            }
            self.out.push('\n');
        }
        if self.out.ends_with("\n\n") {
            self.out.pop();
        }
    }

    fn table(&mut self, indent: usize, rows: &[Row]) {
        let widths = Widths::of(rows);
        let pad = " ".repeat(indent);
        for row in rows {
            let _ = writeln!(self.out, "{pad}{}", widths.line(row));
        }
    }

    fn shows(&self, metric: &MetricView) -> bool {
        let name = parent_name(metric);
        let hidden = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let compact = self.mode == Mode::Compact;
        !hidden(&HIDDEN) && (!compact || !hidden(self.layout.only_in_full))
    }

    fn row(&self, metric: &MetricView) -> Row {
        let name = match &metric.filter {
            Some((_, suffix)) => format!("  {{ {suffix} }}"),
            None => metric.name.clone(),
        };
        let number =
            |name: &str| value(metric.value(name), metric.kind, metric.contains, self.unit);
        let (first, rest) = match metric.kind {
            Kind::Counter => (number("count"), vec![format!("{}/s", number("rate"))]),
            Kind::Gauge => {
                let extremes = ["min", "max"].map(|name| format!("{name}={}", number(name)));
                (number("value"), extremes.to_vec())
            }
            Kind::Rate => {
                let (passes, fails) = (metric.value("passes"), metric.value("fails"));
                (
                    number("rate"),
                    vec![format!("{passes} out of {}", passes + fails)],
                )
            }
            Kind::Trend => {
                let stats = metric.values.iter().map(|(name, number)| {
                    let contains = if name == "count" {
                        Contains::Default
                    } else {
                        metric.contains
                    };
                    let text = value(*number, metric.kind, contains, self.unit);
                    format!("{name}={text}")
                });
                (String::new(), stats.collect())
            }
        };
        let is_trend = metric.kind == Kind::Trend;
        // A metric that exists only for a threshold does not count for the width.
        let is_idle = is_trend && metric.filter.is_some() && !metric.has_samples;
        let raw_length = match is_idle {
            true => 0,
            false => metric.name.chars().count(),
        };
        Row {
            name,
            raw_length,
            first,
            rest,
            is_trend,
        }
    }

    fn parts(&mut self, summary: &Summary) {
        for part in &summary.parts {
            let depth = part.group.matches("::").count();
            let indent = 4 + 2 * depth;
            if part.group.is_empty() {
                let _ = writeln!(self.out, "\n\n  █ SCENARIO: {} \n", part.scenario);
            } else {
                let (name, pad) = (last_name(part), " ".repeat(indent - 2));
                let top = depth == 1 && part.scenario.is_empty();
                let mark = if top { "█" } else { "↳" };
                let _ = writeln!(self.out, "\n{pad}{mark} GROUP: {name} \n");
            }
            let own: Vec<&Check> = part.checks.iter().collect();
            if !own.is_empty() {
                self.checks(indent, &own, summary);
            }
            self.metrics(indent, &part.metrics);
        }
    }
}

/// The widths of the columns.
#[derive(Default)]
struct Widths {
    name: usize,
    first: usize,
    rest: Vec<usize>,
    trend: Vec<usize>,
}

impl Widths {
    fn of(rows: &[Row]) -> Self {
        let length = |text: &String| text.chars().count();
        let shown = rows.iter().map(|row| length(&row.name)).max().unwrap_or(0);
        let raw = rows.iter().map(|row| row.raw_length).max().unwrap_or(0);
        let mut widths = Self {
            name: shown + raw + 3,
            ..Self::default()
        };
        for row in rows {
            if !row.is_trend {
                widths.first = widths.first.max(length(&row.first));
            }
            let columns = if row.is_trend {
                &mut widths.trend
            } else {
                &mut widths.rest
            };
            columns.resize(columns.len().max(row.rest.len()), 0);
            for (column, text) in columns.iter_mut().zip(&row.rest) {
                *column = (*column).max(length(text));
            }
        }
        widths
    }

    fn line(&self, row: &Row) -> String {
        let mut line = row.name.clone();
        let dots = self.name.saturating_sub(row.name.chars().count());
        line.push_str(&".".repeat(dots));
        line.push(':');
        let columns = if row.is_trend {
            &self.trend
        } else {
            &self.rest
        };
        if !row.is_trend {
            let _ = write!(line, " {:width$}", row.first, width = self.first);
        }
        let single = !row.is_trend && row.rest.len() == 1;
        for (text, width) in row.rest.iter().zip(columns) {
            let width = if single { 0 } else { *width };
            let _ = write!(line, " {text:width$}");
        }
        line
    }
}

fn parent_name(metric: &MetricView) -> &str {
    metric
        .filter
        .as_ref()
        .map_or(metric.name.as_str(), |(parent, _)| parent.as_str())
}

impl Layout {
    /// The section of a metric; `None` for a custom metric.
    fn section(&self, name: &str) -> Option<&Section> {
        let fits = |section: &&Section| {
            let mut prefixes = section.prefixes.iter();
            prefixes.any(|prefix| name.starts_with(prefix))
        };
        self.sections.iter().find(fits)
    }
}

fn last_name(part: &PartView) -> &str {
    part.group.rsplit("::").next().unwrap_or_default()
}
