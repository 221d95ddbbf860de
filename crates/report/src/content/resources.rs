//! The resources used by the target and the generator.

use std::collections::BTreeMap;

use super::Limits;
use crate::chart::{Axis, Caption, Chart, Labels, Series, Shape, bins};
use crate::escape::clipped;
use crate::number::{bytes, count, figure, or_dash, percent};
use crate::record::{ResourceSample, TestRecord};
use crate::table::{Cell, Table};

/// Maximum number of hosts with a curve.
const CURVES: usize = 5;

/// The owner of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Target,
    Generator,
}

/// Processor and memory of the target's hosts and of the generator.
pub fn charts(test: &TestRecord, prefix: &str, limits: &Limits) -> Vec<Chart> {
    let mut charts = Vec::new();
    for (whose, samples, name) in [
        (Whose::Target, &test.observed.target, "target"),
        (Whose::Generator, &test.observed.generator, "generator"),
    ] {
        let chart = |id: &str, title: &str, of: fn(&ResourceSample) -> Option<f64>| {
            let id = format!("{prefix}-{name}-{id}");
            let caption = Caption {
                id: &id,
                title,
                unit: "%",
            };
            draw(test, caption, &Read { samples, of }, limits)
        };
        let (cpu, memory) = match whose {
            Whose::Target => ("Processor of the target", "Memory of the target"),
            Whose::Generator => ("Processor of the generator", "Memory of the generator"),
        };
        charts.extend(chart("cpu", cpu, |sample| sample.cpu_ratio));
        charts.extend(chart("memory", memory, |sample| sample.memory_ratio));
    }
    charts
}

/// A figure of samples.
struct Read<'a> {
    samples: &'a [ResourceSample],
    of: fn(&ResourceSample) -> Option<f64>,
}

/// `None` if no sample has the figure.
fn draw(
    test: &TestRecord,
    caption: Caption<'_>,
    read: &Read<'_>,
    limits: &Limits,
) -> Option<Chart> {
    let Caption { id, title, unit } = caption;
    let of = read.of;
    let hosts = by_host(read.samples);
    let curves: Vec<(&str, &Vec<&ResourceSample>)> = hosts
        .iter()
        .filter(|(_, samples)| samples.iter().any(|sample| of(sample).is_some()))
        .map(|(host, samples)| (*host, samples))
        .collect();
    if curves.is_empty() {
        return None;
    }
    let mut series = Vec::new();
    let mut largest: f64 = 0.0;
    for (at, (host, samples)) in curves.iter().take(CURVES).enumerate() {
        let points: Vec<(f64, Option<f64>)> = bins(samples, limits.points)
            .map(|bin| {
                let at = bin.items.first().map_or(0.0, |sample| sample.at_s);
                (at, bin.mean(|sample| of(sample)).map(|ratio| 100.0 * ratio))
            })
            .collect();
        let peak = points.iter().filter_map(|(_, y)| *y).reduce(f64::max);
        largest = largest.max(peak.unwrap_or(0.0));
        series.push(Series {
            name: if host.is_empty() {
                "used".to_owned()
            } else {
                clipped(host, 40)
            },
            note: peak
                .map(|peak| format!("peak {}", percent(peak / 100.0)))
                .unwrap_or_default(),
            colour: at % 6,
            shape: if curves.len() == 1 {
                Shape::Area
            } else {
                Shape::Line
            },
            points,
        });
    }
    let shown = curves.len().min(CURVES);
    let rest = match curves.len() - shown {
        0 => String::new(),
        n => format!(" {n} more hosts are in the table of resources only."),
    };
    let mut table = Table::new(title, &["#from s", "host", "#used"]);
    for (host, samples) in curves.iter().take(CURVES) {
        for bin in bins(samples, limits.figures / shown.max(1)) {
            let at = bin.items.first().map_or(0.0, |sample| sample.at_s);
            let used = or_dash(bin.mean(|sample| of(sample)), percent);
            let host = if host.is_empty() { "all" } else { host };
            table.row(vec![
                figure(at).into(),
                clipped(host, 40).into(),
                used.into(),
            ]);
        }
    }
    Some(Chart {
        id: id.to_owned(),
        title: title.to_owned(),
        description: format!("{title} over time, share of what may be used.{rest}"),
        x: Axis::time(test.duration_s),
        // A share is shown relative to the whole.
        y: Axis::from_zero(unit, largest.max(100.0), Labels::Figures),
        series,
        bands: super::over_time::bands(test),
        limits: Vec::new(),
        moments: Vec::new(),
        data: table,
    })
}

fn by_host(samples: &[ResourceSample]) -> BTreeMap<&str, Vec<&ResourceSample>> {
    let mut hosts: BTreeMap<&str, Vec<&ResourceSample>> = BTreeMap::new();
    for sample in samples {
        hosts
            .entry(sample.host.as_deref().unwrap_or_default())
            .or_default()
            .push(sample);
    }
    hosts
}

/// Mean and largest value of each figure, by host.
pub fn table(test: &TestRecord, limits: &Limits) -> Table {
    let mut table = Table::new(
        "Resources",
        &["of", "figure", "#mean", "#largest", "#at the end"],
    );
    let observed = &test.observed;
    for (whose, samples) in [
        ("target", &observed.target),
        ("generator", &observed.generator),
        ("simulator of the target", &observed.simulator),
    ] {
        for (host, samples) in by_host(samples) {
            let of = if host.is_empty() {
                whose.to_owned()
            } else {
                format!("{whose} {host}")
            };
            host_rows(&clipped(&of, limits.text), &samples, &mut table);
        }
    }
    let most = 4 * limits.entries;
    table.folded = table.rows.len().saturating_sub(most);
    table.folded_name = "values of resources";
    table.rows.truncate(most);
    table
}

/// A figure of a sample, and its format.
type Figure = (
    &'static str,
    fn(&ResourceSample) -> Option<f64>,
    fn(f64) -> String,
);

const FIGURES: [Figure; 15] = [
    ("processor", |s| s.cpu_ratio, percent),
    ("busy cores", |s| s.cpu_cores, figure),
    ("memory", |s| s.memory_ratio, percent),
    ("memory in use", |s| s.memory_bytes.map(|v| v as f64), bytes),
    ("disk", |s| s.disk_ratio, percent),
    ("disk read per s", |s| s.disk_read_bytes_per_s, bytes),
    ("disk written per s", |s| s.disk_written_bytes_per_s, bytes),
    ("network", |s| s.network_ratio, percent),
    ("received per s", |s| s.network_received_bytes_per_s, bytes),
    ("sent per s", |s| s.network_sent_bytes_per_s, bytes),
    ("descriptors", |s| s.descriptors.map(|v| v as f64), whole),
    ("threads", |s| s.threads.map(|v| v as f64), whole),
    ("sockets", |s| s.sockets.map(|v| v as f64), whole),
    ("steal", |s| s.steal_ratio, percent),
    (
        "pressure on the processor",
        |s| s.pressure.get("cpu").copied(),
        percent,
    ),
];

fn whole(value: f64) -> String {
    count(value.round().max(0.0) as u64)
}

fn host_rows(of: &str, samples: &[&ResourceSample], table: &mut Table) {
    for (name, read, form) in FIGURES {
        let values: Vec<f64> = samples.iter().filter_map(|sample| read(sample)).collect();
        figure_row(of, &Named { name, form }, &values, table);
    }
    let mut others: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for sample in samples {
        for (name, value) in &sample.other {
            others.entry(name).or_default().push(*value);
        }
    }
    for (name, values) in others {
        let form = if name.ends_with("_ratio") {
            percent
        } else {
            figure
        };
        figure_row(of, &Named { name, form }, &values, table);
    }
}

/// A figure's name, and the format of its values.
struct Named<'a> {
    name: &'a str,
    form: fn(f64) -> String,
}

fn figure_row(of: &str, figure: &Named<'_>, values: &[f64], table: &mut Table) {
    let Named { name, form } = *figure;
    if values.is_empty() {
        return;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let cells: Vec<Cell> = vec![
        of.into(),
        name.replace('_', " ").into(),
        form(mean).into(),
        or_dash(values.iter().copied().reduce(f64::max), form).into(),
        or_dash(values.last().copied(), form).into(),
    ];
    table.row(cells);
}
