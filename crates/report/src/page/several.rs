//! Several runs side by side.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{head, verdict};
use crate::chart::{Axis, Bin, Caption, Chart, Labels, Series, Shape, bins};
use crate::content::{Limits, overview};
use crate::escape::{clipped, escape};
use crate::number::{DASH, count, figure, or_dash, percent};
use crate::record::{RunRecord, Second, TestRecord};
use crate::table::{Cell, Table};

/// Maximum number of runs that colours can distinguish.
pub const MOST: usize = 6;

/// Up to [`MOST`] runs on one page: their verdicts, and each test's figures and curves side by side.
pub fn several(runs: &[RunRecord]) -> String {
    let limits = &Limits::LEVELS[1];
    let mut html = head(&format!("{} runs side by side", runs.len()));
    let _ = writeln!(
        html,
        "<header><p class=\"over\">Side by side</p><h1>{} runs</h1></header>\n<main id=\"main\">",
        runs.len()
    );
    for (at, run) in runs.iter().enumerate() {
        let _ = write!(
            html,
            "<section id=\"r{at}\" aria-labelledby=\"r{at}-h\"><h2 id=\"r{at}-h\">{}</h2>\n<p class=\"note\">{}</p>\n",
            escape(&run.run),
            escape(&run.began_to_the_second())
        );
        verdict(run, limits, &mut html);
        html.push_str("</section>\n");
    }
    let mut seen = BTreeSet::new();
    let titles = runs
        .iter()
        .flat_map(|run| &run.tests)
        .map(TestRecord::title);
    let titles: Vec<String> = titles.filter(|title| seen.insert(title.clone())).collect();
    for (at, title) in titles.iter().take(limits.tests).enumerate() {
        test(runs, title, at, limits, &mut html);
    }
    if titles.len() > limits.tests {
        let _ = writeln!(
            html,
            "<p class=\"note\">{} more tests are in the pages of the single runs.</p>",
            titles.len() - limits.tests
        );
    }
    html.push_str("</main>\n<footer></footer>\n</body>\n</html>\n");
    html
}

fn test(runs: &[RunRecord], title: &str, at: usize, limits: &Limits, html: &mut String) {
    let of: Vec<Option<&TestRecord>> = runs
        .iter()
        .map(|run| run.tests.iter().find(|test| test.title() == title))
        .collect();
    let _ = write!(
        html,
        "<section class=\"test\" id=\"t{at}\" aria-labelledby=\"t{at}-h\"><h2 id=\"t{at}-h\">{}</h2>\n{}",
        escape(&clipped(title, limits.text)),
        table(runs, &of).to_html()
    );
    html.push_str("<div class=\"charts\">\n");
    let throughput = |bin: &Bin<'_, Second>| bin.mean(|s| Some(s.requests as f64));
    let p95 = |bin: &Bin<'_, Second>| bin.largest(|s| s.p95_ms);
    for (id, title, unit, figure) in [
        (
            "throughput",
            "Throughput",
            "requests/s",
            &throughput as &dyn Fn(&Bin<'_, Second>) -> Option<f64>,
        ),
        ("p95", "95th percentile of latency", "ms", &p95),
    ] {
        let id = &format!("t{at}-{id}");
        let caption = Caption { id, title, unit };
        html.push_str(&chart(runs, &of, caption, figure, limits).to_html());
    }
    html.push_str("</div></section>\n");
}

/// A figure of a test: its name, and its format.
type Figure = (
    &'static str,
    fn(&TestRecord) -> Option<f64>,
    fn(f64) -> String,
);

fn table(runs: &[RunRecord], of: &[Option<&TestRecord>]) -> Table {
    let names: Vec<String> = runs.iter().map(|run| format!("#{}", run.run)).collect();
    let mut columns = vec!["figure"];
    columns.extend(names.iter().map(String::as_str));
    let mut table = Table::new("Figures", &columns);
    let outcomes = of.iter().map(|test| match test {
        Some(test) => {
            let (word, mark) = overview::outcome(test.outcome);
            Cell::marked(word, mark)
        }
        None => DASH.into(),
    });
    let mut first: Vec<Cell> = vec!["outcome".into()];
    first.extend(outcomes);
    table.row(first);
    let rows: [Figure; 7] = [
        (
            "requests",
            |test| Some(test.figures.requests as f64),
            |v| count(v as u64),
        ),
        ("requests/s", |test| test.figures.requests_per_s, figure),
        ("failed", |test| test.figures.error_rate(), percent),
        (
            "mean ms",
            |test| test.figures.latency.as_ref().map(|l| l.mean),
            figure,
        ),
        ("p50 ms", |test| test.figures.percentile("p50"), figure),
        ("p95 ms", |test| test.figures.percentile("p95"), figure),
        ("p99 ms", |test| test.figures.percentile("p99"), figure),
    ];
    for (name, read, form) in rows {
        let mut row: Vec<Cell> = vec![name.into()];
        row.extend(
            of.iter()
                .map(|test| or_dash(test.and_then(read), form).into()),
        );
        table.row(row);
    }
    table
}

fn chart(
    runs: &[RunRecord],
    of: &[Option<&TestRecord>],
    caption: Caption<'_>,
    value: &dyn Fn(&Bin<'_, Second>) -> Option<f64>,
    limits: &Limits,
) -> Chart {
    let Caption { id, title, unit } = caption;
    let mut series = Vec::new();
    let mut data = Table::new(title, &["run", "#from s", "#value"]);
    for (at, (run, test)) in runs.iter().zip(of).enumerate() {
        let Some(test) = test else {
            continue;
        };
        for bin in bins(&test.seconds, limits.figures) {
            let from = bin.items.first().map_or(0.0, |second| second.at_s);
            let value = or_dash(value(&bin), figure);
            data.row(vec![
                run.run.as_str().into(),
                figure(from).into(),
                value.into(),
            ]);
        }
        let points = bins(&test.seconds, limits.points).map(|bin| {
            (
                bin.items.first().map_or(0.0, |second| second.at_s),
                value(&bin),
            )
        });
        series.push(Series {
            name: run.run.clone(),
            note: String::new(),
            colour: at % 6,
            shape: Shape::Line,
            points: points.collect(),
        });
    }
    let all = series.iter().flat_map(|series| &series.points);
    let largest = all.filter_map(|(_, y)| *y).fold(0.0, f64::max);
    let longest = of
        .iter()
        .flatten()
        .map(|test| test.duration_s)
        .fold(0.0, f64::max);
    Chart {
        id: id.to_owned(),
        title: title.to_owned(),
        description: format!("{title} over time, one line per run."),
        x: Axis::time(longest),
        y: Axis::from_zero(unit, 1.05 * largest, Labels::Figures),
        series,
        bands: Vec::new(),
        limits: Vec::new(),
        moments: Vec::new(),
        data,
    }
}
