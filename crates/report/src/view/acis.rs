//! ACIS: three tables, each with its analysis, as text, HTML and CSV; and Locust's four files.

use std::fmt::Write as _;

use crate::escape::{clipped, escape};
use crate::export::{Artefact, artefact, locust, prefixes};
use crate::number::DASH;
use crate::record::{Figures, RunRecord, TestRecord, route};

/// Maximum number of rows of a table; the CSV files have all.
const ROWS: usize = 500;

/// One of the three tables, with the sentences below it.
struct Part {
    title: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
    analysis: Vec<String>,
}

/// `acis.txt`, `acis.html`, `acis_*.csv`, one set per test.
pub fn acis(run: &RunRecord) -> Vec<Artefact> {
    let mut files = Vec::new();
    for (prefix, test) in prefixes(run, "acis") {
        let parts = parts(test);
        let title = format!("{}: {}", run.suite, test.title());
        files.push(artefact(&format!("{prefix}.txt"), text(&title, &parts)));
        files.push(artefact(&format!("{prefix}.html"), html(&title, &parts)));
        files.extend(locust(run, test, &prefix));
    }
    files
}

fn parts(test: &TestRecord) -> Vec<Part> {
    vec![response_times(test), statistics(test), percentiles(test)]
}

/// Whole milliseconds, as in the document.
fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| DASH.to_owned(), |value| format!("{value:.0}"))
}

fn rows(test: &TestRecord, row: impl Fn(&str, &str, &Figures) -> Vec<String>) -> Vec<Vec<String>> {
    let endpoints = test.endpoints.iter().take(ROWS);
    let mut rows: Vec<Vec<String>> = endpoints
        .map(|endpoint| row(&endpoint.method, &endpoint.name, &endpoint.figures))
        .collect();
    rows.push(row("", "Aggregated", &test.figures));
    rows
}

fn sentences(test: &TestRecord, judge: impl Fn(&Figures) -> Option<String>) -> Vec<String> {
    let endpoints = test.endpoints.iter().take(ROWS);
    endpoints
        .filter_map(|endpoint| {
            let said = judge(&endpoint.figures)?;
            Some(format!(
                "{} {said}",
                route(&endpoint.method, &endpoint.name)
            ))
        })
        .collect()
}

fn response_times(test: &TestRecord) -> Part {
    Part {
        title: "Response time distribution",
        columns: &["Name", "# reqs", "Avg", "Min", "Max", "Med", "95%", "99%"],
        rows: rows(test, |method, name, figures| {
            let latency = figures.latency.as_ref();
            vec![
                route(method, name),
                figures.requests.to_string(),
                ms(latency.map(|latency| latency.mean)),
                ms(latency.map(|latency| latency.min)),
                ms(latency.map(|latency| latency.max)),
                ms(figures.percentile("p50")),
                ms(figures.percentile("p95")),
                ms(figures.percentile("p99")),
            ]
        }),
        analysis: sentences(test, |figures| {
            let mean = figures.latency.as_ref()?.mean;
            let verdict = match mean {
                _ if mean < 500.0 => "is fast",
                _ if mean < 1000.0 => "is acceptable",
                _ => "needs optimization",
            };
            Some(format!("{verdict} (average {mean:.0} ms)"))
        }),
    }
}

fn statistics(test: &TestRecord) -> Part {
    Part {
        title: "Request statistics",
        columns: &["Method", "Name", "# reqs", "# fails", "Req/s", "Failure %"],
        rows: rows(test, |method, name, figures| {
            let rate = figures.requests_per_s;
            let failed = figures.error_rate();
            vec![
                method.to_owned(),
                name.to_owned(),
                figures.requests.to_string(),
                figures.failures.to_string(),
                rate.map_or_else(|| DASH.to_owned(), |rate| format!("{rate:.1}")),
                failed.map_or_else(|| DASH.to_owned(), |rate| format!("{:.2}%", 100.0 * rate)),
            ]
        }),
        analysis: sentences(test, |figures| {
            let rate = figures.error_rate()?;
            let verdict = match rate {
                _ if rate < 0.001 => "is stable",
                _ if rate < 0.05 => "is mostly stable",
                _ => "has issues",
            };
            Some(format!("{verdict} ({:.2} % failed)", 100.0 * rate))
        }),
    }
}

fn percentiles(test: &TestRecord) -> Part {
    const KEYS: [&str; 9] = [
        "p50", "p66", "p75", "p80", "p90", "p95", "p98", "p99", "p100",
    ];
    Part {
        title: "Percentiles",
        columns: &[
            "Name", "50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "100%",
        ],
        rows: rows(test, |method, name, figures| {
            let mut row = vec![format!("{method} {name}").trim().to_owned()];
            row.extend(KEYS.iter().map(|key| ms(figures.percentile(key))));
            row
        }),
        analysis: sentences(test, |figures| {
            let (p50, p99) = (figures.percentile("p50")?, figures.percentile("p99")?);
            let times = p99 / p50.max(f64::MIN_POSITIVE);
            Some(if times > 3.0 {
                format!(
                    "has a long tail: its p99 is {times:.1} times its median; caching may shorten it"
                )
            } else {
                format!("has no long tail: its p99 is {times:.1} times its median")
            })
        }),
    }
}

fn text(title: &str, parts: &[Part]) -> String {
    let mut text = format!("{title}\n{}\n", "=".repeat(title.chars().count()));
    for part in parts {
        let _ = writeln!(text, "\n{}", part.title);
        let cells =
            |row: &[String]| -> Vec<String> { row.iter().map(|cell| clipped(cell, 60)).collect() };
        let header: Vec<String> = part
            .columns
            .iter()
            .map(|column| (*column).to_owned())
            .collect();
        let all: Vec<Vec<String>> = std::iter::once(header)
            .chain(part.rows.iter().map(|row| cells(row)))
            .collect();
        let widths: Vec<usize> = (0..part.columns.len())
            .map(|at| {
                all.iter()
                    .map(|row| row[at].chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for row in &all {
            let mut line = String::new();
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let is_text = matches!(part.columns[at], "Name" | "Method");
                let _ = if is_text {
                    write!(line, "{cell:<width$}  ")
                } else {
                    write!(line, "{cell:>width$}  ")
                };
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text.push_str("\nAnalysis\n");
        for sentence in &part.analysis {
            let _ = writeln!(text, "- {sentence}");
        }
    }
    text
}

fn html(title: &str, parts: &[Part]) -> String {
    let title = escape(title);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title><style>\
         :root{{color-scheme:light dark}}body{{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}}\
         .t{{overflow-x:auto}}table{{border-collapse:collapse;font-variant-numeric:tabular-nums}}th,td{{padding:.25rem .8rem;\
         text-align:right;border-top:1px solid #8884}}th:first-child,td:first-child{{text-align:left}}</style></head>\n\
         <body><main><h1>{title}</h1>\n"
    );
    for part in parts {
        let _ = write!(
            html,
            "<h2>{0}</h2><div class=\"t\" tabindex=\"0\" role=\"group\" aria-label=\"{0}\"><table><thead><tr>",
            part.title
        );
        for column in part.columns {
            let _ = write!(html, "<th scope=\"col\">{column}</th>");
        }
        html.push_str("</tr></thead><tbody>\n");
        for row in &part.rows {
            html.push_str("<tr>");
            for cell in row {
                let _ = write!(html, "<td>{}</td>", escape(cell));
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody></table></div>\n<h3>Analysis</h3><ul>");
        for sentence in &part.analysis {
            let _ = write!(html, "<li>{}</li>", escape(sentence));
        }
        html.push_str("</ul>\n");
    }
    html.push_str("</main></body></html>\n");
    html
}
