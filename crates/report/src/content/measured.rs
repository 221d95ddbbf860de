//! Figures of requests: by phase, by endpoint, by error.

use super::Limits;
use crate::escape::clipped;
use crate::number::{DASH, count, figure, or_dash, percent};
use crate::record::{Endpoint, Figures, PhaseRecord, TestContent, TestRecord, route};
use crate::table::{Cell, Table};

/// The columns that all tables of figures share.
const FIGURES: [&str; 10] = [
    "#requests",
    "#failed",
    "#requests/s",
    "#mean ms",
    "#p50 ms",
    "#p95 ms",
    "#p99 ms",
    "#max ms",
    "#p95 from schedule ms",
    "#p99 from schedule ms",
];

fn columns<'a>(first: &[&'a str]) -> Vec<&'a str> {
    first.iter().chain(FIGURES.iter()).copied().collect()
}

fn cells(figures: &Figures) -> Vec<Cell> {
    let percentile = |key| or_dash(figures.percentile(key), figure);
    let latency = figures.latency.as_ref();
    let intended = |key: &str| {
        let latency = figures.intended_latency.as_ref();
        or_dash(
            latency.and_then(|latency| latency.percentiles.get(key).copied()),
            figure,
        )
    };
    vec![
        count(figures.requests).into(),
        failed(figures),
        or_dash(figures.requests_per_s, figure).into(),
        or_dash(latency.map(|latency| latency.mean), figure).into(),
        percentile("p50").into(),
        percentile("p95").into(),
        percentile("p99").into(),
        or_dash(latency.map(|latency| latency.max), figure).into(),
        intended("p95").into(),
        intended("p99").into(),
    ]
}

/// The number of failed requests, and their share.
fn failed(figures: &Figures) -> Cell {
    match figures.error_rate() {
        None => DASH.into(),
        Some(rate) if figures.failures > 0 => Cell::marked(
            format!("{} ({})", count(figures.failures), percent(rate)),
            "bad",
        ),
        Some(_) => "0".into(),
    }
}

/// One row per phase, and the whole test.
pub fn phases(test: &TestRecord) -> Table {
    let mut table = Table::new(
        "Figures by phase",
        &columns(&["phase", "kind", "#load", "#seconds"]),
    );
    for phase in &test.phases {
        let load = match (phase.users, phase.rate_per_s) {
            (Some(users), _) => format!("{} users", figure(users)),
            (None, Some(rate)) => format!("{}/s", figure(rate)),
            (None, None) => DASH.to_owned(),
        };
        let kind = phase.kind.name().replace('_', " ");
        let is_run = !did_not_run(test, phase);
        let kind = if !is_run {
            format!("{kind}, not run")
        } else if phase.judged {
            format!("{kind}, judged")
        } else {
            kind
        };
        let mut row = vec![
            phase.name.as_str().into(),
            kind.into(),
            load.into(),
            figure(phase.end_s - phase.begin_s).into(),
        ];
        if is_run {
            row.extend(cells(&phase.figures));
        } else {
            row.extend(FIGURES.map(|_| DASH.into()));
        }
        table.row(row);
    }
    let mut row = vec![
        Cell::marked("whole test", "total"),
        test.model.name().into(),
        or_dash(test.figures.users, |users| {
            format!("{} users", figure(users))
        })
        .into(),
        figure(test.figures.seconds).into(),
    ];
    row.extend(cells(&test.figures));
    table.row(row);
    if let Some((name, figures)) = last_requests(test) {
        let mut row = vec![
            name.into(),
            DASH.into(),
            DASH.into(),
            figure(figures.seconds).into(),
        ];
        row.extend(cells(&figures));
        table.row(row);
    }
    table.without_empty_columns()
}

/// Whether the ladder ended before this step: it was cut short, and nothing was sent.
fn did_not_run(test: &TestRecord, phase: &PhaseRecord) -> bool {
    let has_load = phase
        .users
        .or(phase.rate_per_s)
        .is_some_and(|load| load > 0.0);
    test.content == TestContent::Ladder && has_load && !phase.judged && phase.figures.requests == 0
}

/// The window of the last requests, if the test has more than these.
fn last_requests(test: &TestRecord) -> Option<(String, Figures)> {
    let found = test.analysis.get("last_requests")?;
    let figures: Figures = serde_json::from_value(found.get("figures")?.clone()).ok()?;
    let name = found.get("window")?.as_str()?.to_owned();
    (figures.requests < test.figures.requests).then_some((name, figures))
}

/// Requests that got no response, which the latencies include, where they are more than 1 % of all.
pub fn without_response(test: &TestRecord) -> Option<String> {
    let (silent, all) = (test.without_response(), test.figures.requests);
    (silent as f64 > 0.01 * all as f64).then(|| {
        format!(
            "The latencies include {} of {} requests that got no response, each with the time until it failed.",
            count(silent),
            count(all)
        )
    })
}

/// The most important endpoints: those with failures, then those with most requests.
pub fn endpoints(test: &TestRecord, limits: &Limits) -> Table {
    let mut table = Table::new(
        "Figures by endpoint",
        &columns(&["name", "method", "class"]),
    );
    let mut order: Vec<&Endpoint> = test.endpoints.iter().collect();
    order.sort_by(|a, b| {
        let key = |e: &Endpoint| (e.figures.failures, e.figures.requests);
        key(b)
            .cmp(&key(a))
            .then_with(|| (&a.name, &a.method).cmp(&(&b.name, &b.method)))
    });
    table.folded = order.len().saturating_sub(limits.endpoints);
    table.folded_name = "endpoints";
    order.truncate(limits.endpoints);
    order.sort_by(|a, b| {
        let by_requests = b.figures.requests.cmp(&a.figures.requests);
        by_requests.then_with(|| (&a.name, &a.method).cmp(&(&b.name, &b.method)))
    });
    for endpoint in order {
        let mut row = vec![
            clipped(&endpoint.name, limits.text).into(),
            endpoint.method.as_str().into(),
            endpoint.class.as_deref().unwrap_or(DASH).into(),
        ];
        row.extend(cells(&endpoint.figures));
        table.row(row);
    }
    table.without_empty_columns()
}

/// Failed requests by message, the most frequent first.
pub fn errors(test: &TestRecord, limits: &Limits) -> Table {
    let mut table = Table::new(
        "Errors",
        &["error", "endpoint", "#requests", "#of its requests"],
    );
    let mut all: Vec<(&str, &Endpoint, u64)> = Vec::new();
    for endpoint in &test.endpoints {
        all.extend(
            endpoint
                .errors
                .iter()
                .map(|(text, n)| (text.as_str(), endpoint, *n)),
        );
    }
    all.sort_by(|a, b| {
        b.2.cmp(&a.2)
            .then_with(|| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)))
    });
    table.folded = all.len().saturating_sub(limits.entries.min(50));
    table.folded_name = "errors";
    for (text, endpoint, times) in all.into_iter().take(limits.entries.min(50)) {
        let requests = endpoint.figures.requests;
        let share = (requests > 0).then(|| times as f64 / requests as f64);
        table.row(vec![
            clipped(text, limits.text.min(300)).into(),
            clipped(&route(&endpoint.method, &endpoint.name), limits.text).into(),
            count(times).into(),
            or_dash(share, percent).into(),
        ]);
    }
    table
}

/// The checks of the scripts.
pub fn checks(test: &TestRecord, limits: &Limits) -> Table {
    let mut table = Table::new(
        "Checks of the scripts",
        &["check", "#passed", "#failed", "#held"],
    );
    table.folded = test.checks.len().saturating_sub(limits.entries);
    table.folded_name = "checks";
    for check in test.checks.iter().take(limits.entries) {
        let all = check.passes + check.fails;
        let held = (all > 0).then(|| check.passes as f64 / all as f64);
        let fails = count(check.fails);
        table.row(vec![
            clipped(&check.name, limits.text).into(),
            count(check.passes).into(),
            if check.fails > 0 {
                Cell::marked(fails, "bad")
            } else {
                fails.into()
            },
            or_dash(held, percent).into(),
        ]);
    }
    table
}

/// The exceptions that ended iterations of the scripts.
pub fn exceptions(test: &TestRecord, limits: &Limits) -> Table {
    let mut table = Table::new(
        "Exceptions of the scripts",
        &["exception", "place", "#iterations"],
    );
    table.folded = test.exceptions.len().saturating_sub(limits.entries);
    table.folded_name = "exceptions";
    for it in test.exceptions.iter().take(limits.entries) {
        let place = it.traceback.lines().next().unwrap_or_default();
        table.row(vec![
            clipped(&it.message, limits.text).into(),
            clipped(place, limits.text).into(),
            Cell::marked(count(it.count), "bad"),
        ]);
    }
    table
}

/// The key figures of a test: name and value.
pub fn key_figures(test: &TestRecord) -> Vec<(&'static str, String)> {
    let figures = &test.figures;
    let peak = test
        .seconds
        .iter()
        .map(|second| second.requests)
        .max()
        .map(|peak| peak as f64);
    let users = test
        .seconds
        .iter()
        .filter_map(|second| second.users)
        .reduce(f64::max);
    let ms = |key| or_dash(figures.percentile(key), crate::number::milliseconds);
    vec![
        ("requests", count(figures.requests)),
        ("requests/s", or_dash(figures.requests_per_s, figure)),
        ("busiest second", or_dash(peak, figure)),
        ("failed", or_dash(figures.error_rate(), percent)),
        ("p50", ms("p50")),
        ("p95", ms("p95")),
        ("p99", ms("p99")),
        ("most users", or_dash(users, figure)),
    ]
}
